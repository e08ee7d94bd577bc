"""Pages of real Zopes of each generation, and pages that are not as they should be."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.clients.http.exchange import MAX_BODY_BYTES
from zope_exporter.clients.zmi.pages import (
    Caches,
    Panel,
    ZmiError,
    read_caches,
    read_panel,
    read_tables,
)

PAGES = Path(__file__).with_name("pages")
GENERATIONS = ["zope63", "zope5", "zope48", "zope213"]


def page(name: str) -> str:
    return (PAGES / f"{name}.html").read_text()


@pytest.mark.parametrize(
    ("name", "panel"),
    [
        ("zope63", Panel("6.3.0", "3.11.7", 9982, debug_mode=False)),
        ("zope5", Panel("5.14.2", "3.11.7", 10580, debug_mode=False)),
        ("zope48", Panel("4.8.11", "3.8.18", 11100, debug_mode=False)),
        ("zope213", Panel("2.13.30", "2.7.18", 12057, debug_mode=None)),
    ],
)
def test_the_control_panel_of_each_generation(name: str, panel: Panel) -> None:
    assert read_panel(page(f"{name}-panel")) == panel


@pytest.mark.parametrize(
    ("name", "caches"),
    [
        ("zope63", Caches(10, 0, 5000, 0)),
        ("zope5", Caches(10, 0, 5000, 0)),
        ("zope48", Caches(10, 0, 5000, 0)),
        ("zope213", Caches(18, 0, 5000, 0)),
    ],
)
def test_the_caches_of_each_generation(name: str, caches: Caches) -> None:
    assert read_caches(page(f"{name}-database")) == caches


def test_debug_mode() -> None:
    assert read_panel(page("zope63-panel").replace("False", "True")).debug_mode is True


CONNECTION = "<tr><td>&lt;Connection {}&gt;</td><td>{}</td><td>{}</td></tr>"


def caches_page(*connections: tuple[object, object], end: str = "<tr><td>Total</td>") -> str:
    head = "<tr><th>Cache Name<th>Number of active objects<th>Total active and non-active objects"
    rows = [CONNECTION.format(number, *each) for number, each in enumerate(connections)]
    facts = [
        "<tr><td>Target number of objects in memory per cache</td><td>400</td></tr>",
        "<tr><td>Target memory size per cache in bytes</td><td>1048576</td></tr>",
    ]
    return "".join([*facts, "<table>", head, *rows, end, "</table>"])


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30))
def test_the_connections_are_added_up(counts: list[tuple[int, int]]) -> None:
    html = caches_page(*((active, active + ghosts) for active, ghosts in counts))
    expected = sum(active for active, _ in counts), sum(ghosts for _, ghosts in counts)
    assert read_caches(html) == Caches(*expected, 400, 1048576)


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("", "no Cache Name"),
        ("<h1>Welcome</h1>", "no Cache Name"),
        (caches_page((1, 2), end=""), "no Cache Name"),
        (caches_page((1, 2), end="<tr><td>Sum</td>"), "no Cache Name"),
        (caches_page(("many", 2)), "a number that is none"),
        (caches_page((-1, 2)), "a number that is none"),
        (caches_page(("٣", 2)), "a number that is none"),
        (caches_page(("9" * 19, 2)), "a number that is none"),
        (caches_page((3, 2)), "more active objects than objects"),
        (caches_page((1, 2)).replace("per cache</td><td>400", "per cache</td><td>"), "no Target"),
        (caches_page((1, 2)).replace("Target memory", "Memory"), "no Target memory"),
    ],
    ids=range(11),
)
def test_a_page_of_caches_that_has_changed_is_named(html: str, reason: str) -> None:
    with pytest.raises(ZmiError, match=reason):
        read_caches(html)


@pytest.mark.parametrize("label", ["Zope Version", "Python Version", "Process Id"])
@pytest.mark.parametrize("name", GENERATIONS)
def test_a_panel_that_has_changed_is_named(name: str, label: str) -> None:
    with pytest.raises(ZmiError, match=f"no {label}"):
        read_panel(page(f"{name}-panel").replace(label, "Something"))


def test_a_version_that_can_be_none_is_no_label() -> None:
    html = page("zope63-panel").replace("6.3.0", "6" * 41)
    with pytest.raises(ZmiError, match="no Zope Version"):
        read_panel(html)


@given(st.text(max_size=200))
def test_cells_hold_their_text_whatever_it_is(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    [row] = read_tables(f"<table><tr><td>{escaped}</th><td>x</table>")
    assert row == (" ".join(text.split()), "x")


@given(
    st.lists(
        st.sampled_from(
            [
                "<tr>",
                "<td>",
                "</td>",
                "<th",
                ">",
                "<!--",
                "-->",
                "<![",
                "&#",
                "<script>",
                "Total",
                "Cache Name",
                "Process Id",
                "12",
                "</",
                "<td a='",
                '"',
            ]
        ),
        max_size=60,
    ).map("".join)
)
def test_any_html_is_read_or_refused(html: str) -> None:
    for read in (read_panel, read_caches):
        with suppress(ZmiError):
            read(html)


@pytest.mark.parametrize("start", ["<a ", "<!--", '<a b="', "<td a", "</"])
def test_a_page_of_the_largest_size_without_an_end_does_not_take_hours(start: str) -> None:
    with pytest.raises(ZmiError):
        read_caches(start * (MAX_BODY_BYTES // len(start)))
