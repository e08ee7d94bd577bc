"""The tables of a page, as the ZMI of every Zope writes them: labels beside values."""

from html.parser import HTMLParser

from .errors import ZmiError

Row = tuple[str, ...]


class _Tables(HTMLParser):
    """Collects the text of all cells, whether they are closed, closed wrongly, or not at all."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  the parser gives them
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append([])

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1].append(data)


def read_tables(html: str) -> list[Row]:
    """All rows of all tables; the white space within a cell becomes single blanks.

    Raises ZmiError if it is no HTML at all.
    """
    parser = _Tables()
    try:
        # Not closed: where a page ends in the middle of a tag, that takes hours.
        parser.feed(html)
    except AssertionError:  # what the parser of Python 3.10 to 3.13 makes of <![
        raise ZmiError("the page of the ZMI is no HTML") from None
    return [tuple(" ".join("".join(cell).split()) for cell in row) for row in parser.rows]
