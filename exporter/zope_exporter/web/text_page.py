"""An HTML page of text, as runbooks and documentation are shown."""

from html import escape

from starlette.responses import HTMLResponse, Response

from .app import PAGE_HEADERS


def text_page(stylesheet: str, title: str, body: str) -> Response:
    """Return the page; `body` is HTML, whose forms may be sent to the exporter itself."""
    policy = PAGE_HEADERS["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    )
    headers = {**PAGE_HEADERS, "Content-Security-Policy": f"{policy}; style-src 'self'"}
    html = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(stylesheet)}">'
        f'<link rel="icon" href="data:,"></head><body><main>{body}</main></body></html>\n'
    )
    return HTMLResponse(html, headers=headers)
