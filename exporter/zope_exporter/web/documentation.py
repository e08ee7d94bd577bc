"""The documentation over HTTP, with a search for words in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.system.resources import shipped

from .markdown import anchor, to_html
from .text_page import page_route, text_page
from .thread import in_thread

DOCUMENTATION = "/docs"
LISTED = 100  # lines of an answer; whoever gets more has to name another word
_INDEX = "README"
_BEGINS = re.compile(r"[#|`-]|\d+\. |<!--")
_MARK = re.compile(r" *```|\|--|<!--")
_LINK = re.compile(r"\[([^\]]+)\]\([^()\s]+\)")


@dataclass(frozen=True)
class Line:
    """A row, an item or a whole paragraph, which no break of a line cuts in two."""

    page: str
    heading: str
    text: str

    @property
    def address(self) -> str:
        """Where it is: the page, at its last heading above the line."""
        part = f"#{anchor(self.heading)}" if self.heading else ""
        return f"{DOCUMENTATION}/{self.page}{part}"


def documentation_routes(stylesheet: str, directory: Path | None = None) -> list[Route]:
    """Return the routes of the pages, one for each file of the directory, and of their list."""
    directory = directory or shipped("docs")
    files = {path.stem: path for path in sorted(directory.glob("*.md"))}
    overview = files.pop(_INDEX)

    async def index(request: Request) -> Response:
        words = request.query_params.get("q", "").split()
        if words:
            found = await in_thread(lambda: list(search(files, words)))
            body = _results(words, found)
        else:
            body = to_html(await in_thread(overview.read_text), DOCUMENTATION)
        form = _form(" ".join(words))
        return text_page(stylesheet, "Documentation", f'<div class="text">{form}{body}</div>')

    return [
        Route(DOCUMENTATION, index, methods=["GET"]),
        page_route(stylesheet, DOCUMENTATION, files, "page", _shown),
    ]


def _shown(_: Request, path: Path) -> str:
    return to_html(path.read_text(), DOCUMENTATION)


def search(files: dict[str, Path], words: list[str]) -> Iterator[Line]:
    """Yield the lines that have all the words, in upper or lower case, page by page."""
    wanted = [word.casefold() for word in words]
    for name, path in files.items():
        for line in lines_of(name, path.read_text()):
            text = line.text.casefold()
            if all(word in text for word in wanted):
                yield line


def lines_of(page: str, markdown: str) -> Iterator[Line]:
    """Yield what of a page can be found."""
    heading = ""
    parts: list[str] = []
    in_code = False
    for line in [*markdown.splitlines(), ""]:
        if parts and (in_code or not line or _BEGINS.match(line)):
            yield Line(page, heading, _plain(" ".join(parts)))
            parts = []
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif line.startswith("##") and not in_code:
            heading = line.lstrip("# ")
        if line and not _MARK.match(line):
            parts.append(line.strip("# "))


def _plain(text: str) -> str:
    """The text without what only marks it."""
    cells = _LINK.sub(r"\1", text).removeprefix("- ").strip("|").split("|")
    return ", ".join(cell.strip() for cell in cells if cell.strip()).replace("`", "")


def _form(words: str) -> str:
    return (
        f'<form action="{DOCUMENTATION}" role="search"><label>Search the documentation '
        f'<input type="search" name="q" value="{escape(words)}"></label> '
        "<button>Search</button></form>"
    )


def _results(words: list[str], found: list[Line]) -> str:
    title = f"<h1>Search: {escape(' '.join(words))}</h1>"
    if not found:
        return f"{title}<p>Nothing has all of these words.</p>"
    items = "".join(
        f'<li><a href="{escape(line.address)}">{escape(_where(line))}</a> {escape(line.text)}</li>'
        for line in found[:LISTED]
    )
    more = f"<p>{len(found) - LISTED} more.</p>" if len(found) > LISTED else ""
    return f"{title}<ul>{items}</ul>{more}"


def _where(line: Line) -> str:
    return f"{line.page}: {line.heading}" if line.heading else line.page
