"""The page as HTML: whole, quiet towards the rest of the world, and proof against names."""

import asyncio
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from tests.support.web.status import NOW, burning, healthy, inventory, observed
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.registry import Scrape
from zope_exporter.web.server import Server
from zope_exporter.web.status.page import SHARED_SECONDS, Shared, StatusPage, routes
from zope_exporter.web.status.page_model import compose
from zope_exporter.web.status.view import Offers, PageView

HOSTILE = "\"'><script>alert(1)</script>&lt;\n{{7*7}}${7*7}\u2028\ud800/"
VOID = {"meta", "link", "br", "input", "path", "rect"}


def view(found: Inventory, scrape: Scrape, later: float = 5.0) -> PageView:
    offered = {
        (action, site.name, storage.database)
        for site in found.sites
        for storage in site.storages
        for action in ("pack", "backup", "verify")
    }
    return compose(
        observed(found, [scrape]), read_limits(), list, lambda: Offers(offered), lambda: NOW + later
    )


def html(found: Inventory, scrape: Scrape, later: float = 5.0) -> str:
    return StatusPage({"Metrics": "/metrics"}, HOSTILE, "/runbooks").render(
        view(found, scrape, later)
    )


class Tags(HTMLParser):
    """Checks that all that is opened is closed, and notes every element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_it_is_whole_and_says_what_burns() -> None:
    page = html(inventory(), burning(inventory()))
    tags = Tags(page)
    assert "<title>critical - " in page
    assert "the file is damaged at 4711" in page
    for tag, attributes in tags.found:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_a_mail_links_to_its_site() -> None:
    found = inventory("my site")
    assert '<section class="site" id="site-my-site" ' in html(found, burning(found))


def test_hostile_names_stay_text() -> None:
    found = inventory(HOSTILE.replace("/", ""), HOSTILE)
    page = html(found, burning(found))
    harmless = [tag for tag, _ in Tags(html(inventory(), burning(inventory()))).found]
    assert [tag for tag, _ in Tags(page).found] == harmless
    assert "<script>alert" not in page
    assert "{{7*7}}" in page


def test_a_look_that_is_too_old_is_told() -> None:
    assert "That is too long ago" in html(inventory(), healthy(inventory()), later=100)
    assert "That is too long ago" not in html(inventory(), healthy(inventory()), later=50)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    page = StatusPage({"Metrics": "/metrics"})
    found = inventory()
    app = Starlette(routes=routes(page, lambda: view(found, healthy(found)), object))
    with serving(app) as server:
        yield server


def test_nothing_comes_from_elsewhere(server: Server) -> None:
    answer = httpx.get(server.url)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    for tag, attributes in Tags(answer.text).found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            target = attributes.get(name) or "/"
            assert target.startswith("/") or target == "data:,", (tag, target)


def test_style_and_script_are_there(server: Server) -> None:
    style = httpx.get(f"{server.url}/-/page.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    script = httpx.get(f"{server.url}/-/page.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "url(" not in style.text
    assert "http" not in script.text.replace("https", "")


def test_reading_is_all_that_can_be_done_here(server: Server) -> None:
    assert httpx.post(server.url).status_code == 405


def test_who_asks_while_nothing_is_new_gets_the_page_that_was_made() -> None:
    made, now, jobs = iter("abcd"), [0.0], ["queued"]

    async def ask() -> list[str]:
        shared = Shared(lambda: next(made), lambda: tuple(jobs), lambda: now[0])
        seen = []
        for moment, state in ((0, "queued"), (SHARED_SECONDS, "queued"), (SHARED_SECONDS, "ended")):
            now[0], jobs[0] = moment, state
            seen += sorted(set(await asyncio.gather(*[shared.page() for _ in range(10)])))
        now[0] += SHARED_SECONDS + 1
        return [*seen, await shared.page()]

    assert asyncio.run(ask()) == ["a", "a", "b", "c"]


def test_a_page_that_could_not_be_made_is_tried_again() -> None:
    made = iter([OSError("the disk"), "whole"])

    def make() -> str:
        page = next(made)
        if isinstance(page, OSError):
            raise page
        return str(page)

    async def ask() -> str:
        shared = Shared(make, str)
        with pytest.raises(OSError, match="the disk"):
            await shared.page()
        return await shared.page()

    assert asyncio.run(ask()) == "whole"
