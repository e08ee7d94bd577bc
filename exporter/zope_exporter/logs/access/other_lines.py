"""Lines of an access log that are not as they stand of the format: within JSON, coloured, HAProxy.

They are read one at a time, once the format itself has not fitted.
"""

from collections.abc import Callable

from zope_exporter.logs.wrapping import json_lines
from zope_exporter.logs.wrapping.colours import without_colours
from zope_exporter.logs.wrapping.layers import without_prefix

from . import haproxy
from .requests import Request

Reader = Callable[[bytes], Request | None]
_DEEPEST = 3


def read_line(line: bytes, read: Reader) -> Request | None:
    """Read a line of a given format, which may be so wide that it takes in what is in front."""
    within = line
    for _ in range(_DEEPEST):
        within = _inner(within, surely=True) or within
    request = read(within)
    return read(line) if request is None and within != line else request


def read_known(line: bytes, read: Reader) -> Request | None:
    """Read a line of a log of which no format is told: HAProxy's is unmistakable."""
    for _ in range(_DEEPEST + 1):
        request = read(line) or haproxy.read_line(line)
        inner = _inner(line) if request is None else None
        if not inner:
            break
        line = inner
    return request


def _inner(line: bytes, surely: bool = False) -> bytes | None:
    plain = without_prefix(without_colours(line), surely)
    if plain != line:
        return plain
    found = json_lines.read_object(line)
    if found is None:
        return None
    text = json_lines.from_docker(found)
    if text is None:
        text = (json_lines.message(found) or "").encode("utf-8", "surrogateescape")
    return text.rstrip(b"\r\n")
