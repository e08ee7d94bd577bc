"""The few things of Markdown that runbooks use, as HTML in which everything is escaped."""

import re
from collections.abc import Iterator
from html import escape

_FENCE = re.compile(r"^( *)```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"^(?:-|\d+\.) ", re.MULTILINE)
# A link may lead to another page of the same directory, and nowhere else.
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((\w+)\.md\)")


def to_html(markdown: str) -> str:
    """Return headings, paragraphs, lists, blocks of code, `code`, **bold** and [links](Name.md)."""
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
        code, strong, said, name = map(escape, mark.groups(default=""))
        html += escape(text[end : mark.start()])
        if code:
            html += f"<code>{code}</code>"
        elif strong:
            html += f"<strong>{strong}</strong>"
        else:
            html += f'<a href="{name}">{said}</a>'
        end = mark.end()
    return html + escape(text[end:])
