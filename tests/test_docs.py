"""README and documentation: their length, tables, links and what is shown of them."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.programs.readme import DOCS, with_tables
from zope_exporter.web.markdown import anchor, to_html

TOP = DOCS.parents[1]
PAGES = sorted(DOCS.glob("*.md"))
RUNBOOKS = sorted((TOP / "alerts/runbooks").glob("*.md"))
OTHERS = [TOP / "README.md", TOP / "exporter/README.md", TOP / "exporter/agent/README.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#{2,4} (.+)$", prose(path), re.MULTILINE)}


def test_the_readme_is_short() -> None:
    assert len((TOP / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("path", with_tables(), ids=lambda path: path.stem)
def test_tables_are_those_of_the_code(path: Path) -> None:
    assert with_tables()[path] == path.read_text(), "run python -m tests.support.programs.readme"


@pytest.mark.parametrize("path", [*OTHERS, *PAGES, *RUNBOOKS], ids=lambda path: path.stem)
def test_links_lead_to_what_is_there(path: Path) -> None:
    for target in LINK.findall(prose(path)):
        if target.startswith("https://"):
            continue
        name, _, part = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not part or part in anchors(file), target


def test_the_overview_names_every_page() -> None:
    named = set(LINK.findall((DOCS / "README.md").read_text()))
    assert named == {path.name for path in PAGES} - {"README.md"}


class Text(HTMLParser):
    """All text but code."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.code = 0

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.code += tag in {"pre", "code"}

    def handle_endtag(self, tag: str) -> None:
        self.code -= tag in {"pre", "code"}

    def handle_data(self, data: str) -> None:
        self.text += "" if self.code else data


@pytest.mark.parametrize("path", [*PAGES, *RUNBOOKS], ids=lambda path: path.stem)
def test_all_markdown_in_it_is_shown_as_what_it_means(path: Path) -> None:
    shown = Text()
    shown.feed(to_html(path.read_text(), "/docs"))
    left = re.search(r"\]\(|\*\*|`|<!--|^ *[-#|] |^ *\d+\. |\|", shown.text, re.MULTILINE)
    assert left is None, shown.text[max(0, left.start() - 80) : left.end() + 80]
