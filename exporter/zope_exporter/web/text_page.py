"""An HTML page of text, as runbooks and documentation are shown."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from .app import PAGE_HEADERS
from .thread import in_thread

Shown = Callable[[Request, Path], str]


def page_route(
    stylesheet: str, place: str, files: Mapping[str, Path], called: str, shown: Shown
) -> Route:
    """Return the route below `place` of the pages in Markdown files, each by its name.

    `called` is what one of them is called, `shown` returns its HTML, in a thread.
    """

    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return PlainTextResponse(f"There is no {called} of this name.\n", status_code=404)
        html = await in_thread(lambda: shown(request, files[name]))
        link = f'<p><a href="{place}">All {called}s</a></p>'
        return text_page(stylesheet, name, f'<div class="text">{html}{link}</div>')

    return Route(f"{place}/{{name}}", page, methods=["GET"])


def text_page(stylesheet: str, title: str, body: str) -> Response:
    """Return the page; `body` is HTML, whose forms may be sent to the exporter itself."""
    policy = PAGE_HEADERS["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    )
    policy += "; style-src 'self'; img-src data:"  # the icon, which is none
    headers = {**PAGE_HEADERS, "Content-Security-Policy": policy}
    html = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(stylesheet)}">'
        f'<link rel="icon" href="data:,"></head><body><main>{body}</main></body></html>\n'
    )
    return HTMLResponse(html, headers=headers)
