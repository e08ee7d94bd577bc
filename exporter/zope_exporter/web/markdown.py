"""What runbooks and documentation use of Markdown, as HTML; everything in it is escaped."""

import re
from collections.abc import Callable, Iterator
from html import escape

_COMMENT = re.compile(r"^<!--.*-->\n", re.MULTILINE)
_FENCE = re.compile(r"^( *)```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"^(?:-|\d+\.) ", re.MULTILINE)
_TABLE = re.compile(r"\|.+\|\n\|[-| ]+\|(?:\n\|.+\|)*")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^()\s]+)\)")
# A link leads to another of the served pages, within the page or to the web, and nowhere else.
_PAGE = re.compile(r"(?:(?:\.\./)*(?:exporter/|alerts/)?(docs|runbooks)/)?([\w-]+)\.md(#[\w-]+)?")
_ELSEWHERE = re.compile(r"#[\w-]+|https://[\w./#?=&%~+-]+")


def to_html(markdown: str, here: str, filled: Callable[[str], str] = str) -> str:
    """Return headings, paragraphs, lists, tables, code, **bold** and [links](Name.md).

    `here` is the path that the pages beside this one are served below. Blocks of code are shown as
    `filled` returns them. Comments on lines of their own are left out.
    """
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += _blocks(markdown[end : fence.start()], here)
        lines = [line.removeprefix(fence[1]) for line in fence[2].splitlines()]
        # What is wider than a telephone scrolls, which the keyboard does only where it can be.
        parts.append(f'<pre tabindex="0">{escape(filled(chr(10).join(lines)))}</pre>')
        end = fence.end()
    return "\n".join([*parts, *_blocks(markdown[end:], here)])


def anchor(heading: str) -> str:
    """Return what a link to this heading has behind the `#`, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _blocks(text: str, here: str) -> Iterator[str]:
    for block in re.split(r"\n{2,}", _COMMENT.sub("", f"{text}\n").strip("\n")):
        heading = re.fullmatch(r"(#{1,4}) (.+)", block)
        if heading:
            level = len(heading[1])
            name = f' id="{escape(anchor(heading[2]))}"' if level > 1 else ""
            yield f"<h{level}{name}>{_inline(heading[2], here)}</h{level}>"
        elif _TABLE.fullmatch(block):
            yield _table(block.splitlines(), here)
        elif _ITEM.match(block):
            items = (f"<li>{_inline(item, here)}</li>" for item in _ITEM.split(block) if item)
            # A number of its own for each would begin anew after every block of code.
            first = re.match(r"(\d+)\.", block)
            tag = f'ol start="{first[1]}"' if first else "ul"
            yield f"<{tag}>{''.join(items)}</{tag[:2]}>"
        elif block.strip():
            yield f"<p>{_inline(block, here)}</p>"


def _table(lines: list[str], here: str) -> str:
    head, _, *body = lines
    rows = [_row(head, "th", here), *(_row(line, "td", here) for line in body)]
    return f"<table>{''.join(rows)}</table>"


def _row(line: str, tag: str, here: str) -> str:
    cells = line.strip("|").split("|")
    return f"<tr>{''.join(f'<{tag}>{_inline(cell.strip(), here)}</{tag}>' for cell in cells)}</tr>"


def _inline(text: str, here: str) -> str:
    """Escape all but what is marked."""
    html = ""
    end = 0
    for mark in _INLINE.finditer(text):
        code, strong, label, target = mark.groups(default="")
        address = _address(target, here)
        html += escape(text[end : mark.start()])
        if code:
            html += f"<code>{escape(code)}</code>"
        elif strong:
            html += f"<strong>{escape(strong)}</strong>"
        elif address:
            html += f'<a href="{escape(address)}">{escape(label)}</a>'
        else:
            html += escape(mark[0])
        end = mark.end()
    return html + escape(text[end:])


def _address(target: str, here: str) -> str | None:
    if page := _PAGE.fullmatch(target):
        room, name, part = page.groups(default="")
        return f"/{room}/{name}{part}" if room else f"{here}/{name}{part}"
    return target if _ELSEWHERE.fullmatch(target) else None
