"""The runbooks of the alerts over HTTP, for whoever follows the link of a mail at night."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zope_exporter.system.resources import shipped

from .markdown import to_html
from .text_page import text_page
from .thread import in_thread

RUNBOOKS = "/runbooks"


def runbook_routes(stylesheet: str, directory: Path | None = None) -> list[Route]:
    """Return the routes of the pages, one for each file of the directory, and of their list."""
    directory = directory or shipped("alerts") / "runbooks"
    files = {path.stem: path for path in sorted(directory.glob("*.md"))}

    async def index(_: Request) -> Response:
        items = "".join(f'<li><a href="{RUNBOOKS}/{name}">{name}</a></li>' for name in files)
        body = f'<h1>Runbooks</h1><ul class="index">{items}</ul>'
        return text_page(stylesheet, "Runbooks", body)

    async def runbook(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return PlainTextResponse("There is no runbook of this name.\n", status_code=404)
        html = to_html(await in_thread(files[name].read_text), RUNBOOKS)
        link = f'<p><a href="{RUNBOOKS}">All runbooks</a></p>'
        return text_page(stylesheet, name, f'<div class="text">{html}{link}</div>')

    return [
        Route(RUNBOOKS, index, methods=["GET"]),
        Route(f"{RUNBOOKS}/{{name}}", runbook, methods=["GET"]),
    ]
