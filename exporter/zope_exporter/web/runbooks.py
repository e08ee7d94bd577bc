"""The runbooks of the alerts over HTTP, for whoever follows the link of a mail at night."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zope_exporter.system.resources import shipped

from .text_page import page_route, text_page

RUNBOOKS = "/runbooks"


def runbook_routes(stylesheet: str, directory: Path | None = None) -> list[Route]:
    """Return the routes of the pages, one for each file of the directory, and of their list."""
    directory = directory or shipped("alerts") / "runbooks"
    files = {path.stem: path for path in sorted(directory.glob("*.md"))}

    async def index(_: Request) -> Response:
        items = "".join(f'<li><a href="{RUNBOOKS}/{name}">{name}</a></li>' for name in files)
        body = f'<h1>Runbooks</h1><ul class="index">{items}</ul>'
        return text_page(stylesheet, "Runbooks", body)

    return [
        Route(RUNBOOKS, index, methods=["GET"]),
        page_route(stylesheet, RUNBOOKS, files, "runbook"),
    ]
