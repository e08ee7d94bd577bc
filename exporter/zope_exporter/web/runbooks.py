"""The runbooks of the alerts over HTTP, for whoever follows the link of a mail at night."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from zope_exporter.system.resources import shipped

from .app import PAGE_HEADERS
from .thread import in_thread

RUNBOOKS = "/runbooks"

_FENCE = re.compile(r"^( *)```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"^(?:-|\d+\.) ", re.MULTILINE)
# A link may lead to another page of the same directory, and nowhere else.
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((\w+)\.md\)")


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


def to_html(markdown: str) -> str:
    """Return headings, paragraphs, lists, blocks of code, `code`, **bold** and [links](Name.md).

    Of Markdown runbooks use no more; everything in it is escaped.
    """
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += _blocks(markdown[end : fence.start()])
        lines = [line.removeprefix(fence[1]) for line in fence[2].splitlines()]
        parts.append(f"<pre>{escape(chr(10).join(lines))}</pre>")
        end = fence.end()
    return "\n".join([*parts, *_blocks(markdown[end:])])


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n{2,}", text.strip("\n")):
        heading = re.fullmatch(r"(#{1,3}) (.+)", block)
        if heading:
            level = len(heading[1])
            yield f"<h{level}>{_inline(heading[2])}</h{level}>"
        elif _ITEM.match(block):
            items = (f"<li>{_inline(item)}</li>" for item in _ITEM.split(block) if item)
            # A number of its own for each would begin anew after every block of code.
            first = re.match(r"(\d+)\.", block)
            tag = f'ol start="{first[1]}"' if first else "ul"
            yield f"<{tag}>{''.join(items)}</{tag[:2]}>"
        elif block.strip():
            yield f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    """Escape all but what is marked."""
    html = ""
    end = 0
    for mark in _INLINE.finditer(text):
        code, strong, label, name = map(escape, mark.groups(default=""))
        html += escape(text[end : mark.start()])
        if code:
            html += f"<code>{code}</code>"
        elif strong:
            html += f"<strong>{strong}</strong>"
        else:
            html += f'<a href="{name}">{label}</a>'
        end = mark.end()
    return html + escape(text[end:])
