"""The status page over HTTP: one page, its style and its script, nothing from elsewhere."""

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

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

# More than two scrapes missed.
STALE_SECONDS = 90.0

WORDS = {"OK": "well", "WARNING": "warning", "CRITICAL": "critical", "UNKNOWN": "not known"}

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


class StatusPage:
    """Renders views; `links` are the pages to go to from there, by name."""

    def __init__(self, links: dict[str, str]) -> None:
        self._links = links

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
            duration=duration,
            stale=STALE_SECONDS,
            style=STYLE,
            script=SCRIPT,
            version=__version__,
        )


def routes(page: StatusPage, view: Callable[[], PageView]) -> list[Route]:
    """Return the routes of the page; `view` is called in a thread, as it may wait for the disk."""

    async def status(_: Request) -> Response:
        return HTMLResponse(await in_thread(lambda: page.render(view())), headers=HEADERS)

    return [
        Route("/", status, methods=["GET"]),
        Route(STYLE, partial(_file, "page.css", "text/css"), methods=["GET"]),
        Route(SCRIPT, partial(_file, "page.js", "text/javascript"), methods=["GET"]),
    ]


async def _file(name: str, content_type: str, _: Request) -> Response:
    return Response((HERE / name).read_bytes(), media_type=content_type, headers=HEADERS)
