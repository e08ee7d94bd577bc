"""The pages of the ZMI that are visited, and what they say, from Zope 2.13 to 6."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from html.parser import HTMLParser
from urllib.parse import quote

_LONGEST_VERSION = 40
Row = tuple[str, ...]


class ZmiError(Exception):
    """The ZMI could not be visited, or is not as it is known to be: says why, to people."""


class Page(Enum):
    PANEL = "Control_Panel/manage_main"
    DATABASE = "Control_Panel/Database/{}/manage_main"
    CACHE_PARAMETERS = "Control_Panel/Database/{}/manage_cacheParameters"
    """What DATABASE lacks on Zope 2."""

    def path(self, database: str = "") -> str:
        """The path below the root of Zope; raises ZmiError for a name that would lead elsewhere."""
        if database in (".", ".."):
            raise ZmiError(f"the ZMI cannot show a database called {database}")
        return self.value.format(quote(database, safe=""))


@dataclass(frozen=True)
class Panel:
    """A Zope process; `debug_mode` is None of Zope 2, which does not show it."""

    zope_version: str
    python_version: str
    pid: int
    debug_mode: bool | None

    @property
    def is_zope2(self) -> bool:
        return self.zope_version.startswith("2.")


@dataclass(frozen=True)
class Caches:
    """The object caches of a database, those of all its connections together.

    The targets are those of one connection; a target of 0 bytes is none.
    """

    active: int
    ghosts: int
    target_objects: int
    target_bytes: int


def read_panel(html: str) -> Panel:
    """Read the Control Panel; raises ZmiError if that is not what it is."""
    facts = _facts(read_tables(html))
    return Panel(
        _version(facts, "Zope Version"),
        _version(facts, "Python Version"),
        _number(facts, "Process Id"),
        {"True": True, "False": False}.get(facts.get("Debug mode", "")),
    )


def read_caches(html: str) -> Caches:
    """Read the page of a database's caches; raises ZmiError if that is not what it is.

    Sizes are rounded there ("426.6K"), and left alone.
    """
    rows = read_tables(html)
    facts = _facts(rows)
    each = [(_integer(row[1]), _integer(row[2])) for row in _cache_rows(rows)]
    active = sum(active for active, _ in each)
    ghosts = sum(size for _, size in each) - active
    if ghosts < 0:
        raise ZmiError("the ZMI shows more active objects than objects")
    return Caches(
        active,
        ghosts,
        _number(facts, "Target number of objects in memory per cache"),
        _number(facts, "Target memory size per cache in bytes"),
    )


def _facts(rows: Sequence[Row]) -> dict[str, str]:
    return {row[0]: row[1] for row in reversed(rows) if len(row) == 2}


def _cache_rows(rows: Sequence[Row]) -> Iterator[Row]:
    """The row of each connection, between the table's head and its last row."""
    after = iter(rows)
    for row in after:
        if row[:1] == ("Cache Name",):
            break
    for row in after:
        if row[:1] == ("Total",):
            return
        if len(row) != 3:
            break
        yield row
    raise _unknown("Cache Name")


def _version(facts: dict[str, str], label: str) -> str:
    """The number alone of "(2.13.30, python 2.7.18, linux2)" or "3.11.7 (main, …) [GCC 12.2.0]"."""
    words = facts.get(label, "").lstrip("(").replace(",", " ").split()
    if not words or not words[0][0].isdigit() or len(words[0]) > _LONGEST_VERSION:
        raise _unknown(label)
    return words[0]


def _number(facts: dict[str, str], label: str) -> int:
    words = facts.get(label, "").split()
    if not words:
        raise _unknown(label)
    return _integer(words[0])


def _integer(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ZmiError("the ZMI shows a number that is none")
    return int(text)


def _unknown(label: str) -> ZmiError:
    return ZmiError(f"the page of the ZMI is not as it is known to be: no {label}")


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
