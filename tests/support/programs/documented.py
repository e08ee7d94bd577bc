"""The blocks of code in the documentation, and what their marks say about them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[3]
DOCS = TOP / "exporter/docs"
PAGES = sorted(DOCS.glob("*.md"))
RUNBOOKS = sorted((TOP / "alerts/runbooks").glob("*.md"))
READMES = [TOP / "README.md", TOP / "alerts/README.md", TOP / "grafana/README.md"]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One block: where it is, what it is, and what the comment above it says."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.stem}:{self.line}"


def blocks(*pages: Path) -> Iterator[Block]:
    """Yield the blocks of the pages in their order."""
    for page in pages:
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            mark = found["mark"] or ""
            yield Block(page, line, found["language"], mark, found["text"])


def run_by(test: str) -> list[Block]:
    """Return the blocks that say that this file, such as tests/docs/test_commands.py, runs them."""
    return [
        block for block in blocks(*PAGES, *READMES, *RUNBOOKS) if block.mark == f"run by {test}"
    ]


def block(page: str, beginning: str) -> Block:
    """Return the one block of the page that begins so."""
    (found,) = (block for block in blocks(DOCS / f"{page}.md") if block.text.startswith(beginning))
    return found
