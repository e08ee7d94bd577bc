"""The status page over HTTP: one page, its style and its script, nothing from elsewhere."""

import asyncio
import re
import time
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from zope_exporter import __version__
from zope_exporter.checks.coverage import CELLS
from zope_exporter.metrics.metric import encodable
from zope_exporter.system.humanize import duration
from zope_exporter.web.thread import in_thread

from .view import PageView

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent
STYLE, SCRIPT = "/-/page.css", "/-/page.js"

SHARED_SECONDS = 5.0
# More than two scrapes missed.
STALE_SECONDS = 90.0

WORDS = {"OK": "OK", "WARNING": "warning", "CRITICAL": "critical", "UNKNOWN": "unknown"}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def anchor(site: str) -> str:
    """Return where on the page a site is, as `status_url` of alerts/thresholds.yml has it."""
    return "site-" + re.sub("[^0-9A-Za-z._-]", "-", site)


class StatusPage:
    """Renders views; `links` are the pages to go to from there, by name, `host` is in the title.

    `runbooks` is where the runbooks are.
    """

    def __init__(self, links: dict[str, str], host: str = "", runbooks: str = "") -> None:
        self._links = links
        self._host = host
        self._runbooks = runbooks

    @cached_property
    def _template(self) -> "Template":
        # Where nobody ever opens the page, nothing of jinja2 is in memory.
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            # What is marked as HTML by the template itself is of another type.
            finalize=lambda value: encodable(value) if type(value) is str else value,
        )
        return environment.get_template("page.html")

    def render(self, page: PageView) -> str:
        """Return the page as HTML; every value is escaped."""
        return self._template.render(
            page=page,
            words=WORDS,
            states=CELLS,
            links=self._links,
            host=self._host,
            runbooks=self._runbooks,
            duration=duration,
            anchor=anchor,
            asking_for=lambda site: urlencode({"site": encodable(site)}),
            stale=STALE_SECONDS,
            style=STYLE,
            script=SCRIPT,
            version=__version__,
        )


class Shared:
    """A page, or what else is shown, as it was made last, for all who ask while nothing is new.

    A page of 300 sites takes half a second of a processor, and a wall of screens asks at once.
    `basis` returns what the page is made of, or something that changes with it. Both are called in
    a thread, as they may wait for the disk.
    """

    def __init__(
        self,
        make: Callable[[], str],
        basis: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._basis = basis
        self._clock = clock
        self._lock = asyncio.Lock()
        self._latest: tuple[object, float, str] | None = None

    async def page(self) -> str:
        """Return a page that is right now, but for ages that may be some seconds more."""
        async with self._lock:
            return await in_thread(self._page)

    def _page(self) -> str:
        basis, now = self._basis(), self._clock()
        latest = self._latest
        if latest is None or latest[0] != basis or now - latest[1] > SHARED_SECONDS:
            self._latest = latest = basis, now, self._make()
        return latest[2]


def routes(
    page: StatusPage, view: Callable[[], PageView], basis: Callable[[], object]
) -> list[Route]:
    """Return the routes of the page; `basis` is what `view` is made of."""
    shared = Shared(lambda: page.render(view()), basis)

    async def status(_: Request) -> Response:
        return HTMLResponse(await shared.page(), headers=HEADERS)

    return [
        Route("/", status, methods=["GET"]),
        Route(STYLE, partial(_file, "page.css", "text/css"), methods=["GET"]),
        Route(SCRIPT, partial(_file, "page.js", "text/javascript"), methods=["GET"]),
    ]


async def _file(name: str, content_type: str, _: Request) -> Response:
    return Response((HERE / name).read_bytes(), media_type=content_type, headers=HEADERS)
