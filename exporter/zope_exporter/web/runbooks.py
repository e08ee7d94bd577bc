"""The runbooks of the alerts over HTTP, for whoever follows the link of a mail at night."""

from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from zope_exporter.system.resources import shipped

from .app import PAGE_HEADERS
from .markdown import to_html
from .thread import in_thread

RUNBOOKS = "/runbooks"


def runbook_routes(stylesheet: str, directory: Path | None = None) -> list[Route]:
    """Return the routes of the pages, one for each file of the directory, and of their list."""
    directory = directory or shipped("alerts") / "runbooks"
    files = {path.stem: path for path in sorted(directory.glob("*.md"))}
    headers = {
        **PAGE_HEADERS,
        "Content-Security-Policy": f"{PAGE_HEADERS['Content-Security-Policy']}; style-src 'self'",
    }

    def page(title: str, body: str) -> Response:
        html = (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(stylesheet)}">'
            f'<link rel="icon" href="data:,"></head><body><main>{body}</main></body></html>\n'
        )
        return HTMLResponse(html, headers=headers)

    async def index(_: Request) -> Response:
        items = "".join(f'<li><a href="{RUNBOOKS}/{name}">{name}</a></li>' for name in files)
        return page("Runbooks", f'<h1>Runbooks</h1><ul class="index">{items}</ul>')

    async def runbook(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return PlainTextResponse("There is no runbook of this name.\n", status_code=404)
        text = await in_thread(files[name].read_text)
        html = to_html(text)
        link = f'<p><a href="{RUNBOOKS}">All runbooks</a></p>'
        return page(name, f'<div class="text">{html}{link}</div>')

    return [
        Route(RUNBOOKS, index, methods=["GET"]),
        Route(f"{RUNBOOKS}/{{name}}", runbook, methods=["GET"]),
    ]
