"""Access logs in a format of their own, given as the string of Apache's LogFormat."""

import re

import re2
from apachelogs import Error
from apachelogs.directives import format2regex

from .requests import Request, make_request

# Whatever surrounds it, a line with this in it is read like one in Common Log Format.
_COMMON_PART = re.compile(r'(^|[^\[]* )%t "%r" %>?s %[bBO]( .*)?')
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\t": "\t"}
_METHOD = ("request_method", "request_line")
_STATUS = ("final_status", "status", "original_status")
_SIZE = ("bytes_sent", "final_bytes_sent", "bytes_out", "final_bytes_out")


class ApacheFormat:
    """Reads lines of one format.

    Raises ValueError, with the reason, for a format that is not understood or that leaves out what
    is counted.
    """

    def __init__(self, format: str) -> None:  # noqa: A002
        written = re.sub(r'\\["\\t]', lambda escape: _ESCAPES[escape[0]], format)
        try:
            groups, regex = format2regex(written)
            self._line = _compile(regex)
        except (Error, re2.error) as error:
            raise ValueError(f"log format {format!r} is not understood: {error}") from None
        names = [name for name, _, _ in groups]
        self._method = _first(names, _METHOD)
        self._status = _first(names, _STATUS)
        self._size = _first(names, _SIZE)
        if not self._method or not self._status:
            missing = "%r" if not self._method else "%>s"
            raise ValueError(
                f"log format {format!r} has no {missing}: add it where the log is made"
            )
        self.is_common = _COMMON_PART.fullmatch(written) is not None
        self.has_size = self._size is not None

    def read_line(self, line: bytes) -> Request | None:
        """Read a line without its newline; None if it is of another form or had no answer."""
        line = line.rstrip(b"\r")
        found = self._line.fullmatch(line)
        if found is None or found[self._status] == b"-":
            return None
        method = found[self._method].partition(b" ")[0]
        return make_request(method, found[self._status], found[self._size] if self._size else b"-")


def _compile(regex: str) -> "re2._Regexp[bytes]":
    # Not the library's own matcher: its patterns can be matched in so many ways that a line which
    # fits in none of them may take Python's `re` for ever.
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return re2.compile(regex.encode("utf-8", "surrogateescape"), options)


def _first(names: list[object], wanted: tuple[str, ...]) -> int | None:
    """The group, counted from 1, of the first wanted name there is."""
    return next((names.index(name) + 1 for name in wanted if name in names), None)
