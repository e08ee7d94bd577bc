"""Access logs in a format of their own, given as the string of Apache's LogFormat."""

import re
from collections.abc import Callable, Iterable
from functools import partial

import re2
from apachelogs import Error
from apachelogs.directives import format2regex

from .durations import (
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    WHOLE_SECONDS,
    Duration,
    Unit,
    duration_of,
)
from .requests import Request, make_request

# Whatever surrounds it, a line with this in it is read like one in Common Log Format.
_COMMON_PART = re.compile(r'(^|[^\[]* )%t "%r(?P<rest>" %>?s %[bBO]( .*)?)')
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\t": "\t"}
_METHOD = ("request_method", "request_line")
_STATUS = ("final_status", "status", "original_status")
_SIZE = ("bytes_sent", "final_bytes_sent", "bytes_out", "final_bytes_out")
# What Apache has no directive for: seconds with a fraction, as other servers write them.
FRACTIONAL = "%{zope_request_seconds}n"
# The most exact first.
_DURATIONS: dict[object, Unit] = {
    "request_duration_microseconds": MICROSECONDS,
    ("notes", "zope_request_seconds"): SECONDS,
    "request_duration_milliseconds": MILLISECONDS,
    "request_duration_seconds": WHOLE_SECONDS,
}


class ApacheFormat:
    """Reads lines of one format.

    Where the format has durations and is a common one, `read_rest` reads that of a line from its
    second quote on. Raises ValueError, with the reason, for a format that is not understood or that
    leaves out what is counted.
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
        common = _COMMON_PART.fullmatch(written)
        self.is_common = common is not None
        self.has_size = self._size is not None
        self._duration = _duration(names)
        self.has_duration = self._duration is not None
        self.read_rest = _rest_reader(common["rest"]) if common and self._duration else None

    def read_line(self, line: bytes) -> Request | None:
        """Read a line without its newline; None if it is of another form or had no answer."""
        line = line.rstrip(b"\r")
        found = self._line.fullmatch(line)
        if found is None or found[self._status] == b"-":
            return None
        method = found[self._method].partition(b" ")[0]
        size = found[self._size] if self._size else b"-"
        request = make_request(method, found[self._status], size)
        if request is None or self._duration is None:
            return request
        group, unit = self._duration
        return request._replace(duration=duration_of(found[group], unit))


def _compile(regex: str) -> "re2._Regexp[bytes]":
    # Not the library's own matcher: its patterns can be matched in so many ways that a line which
    # fits in none of them may take Python's `re` for ever.
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return re2.compile(regex.encode("utf-8", "surrogateescape"), options)


def _first(names: list[object], wanted: Iterable[object]) -> int | None:
    """The group, counted from 1, of the first wanted name there is."""
    return next((names.index(name) + 1 for name in wanted if name in names), None)


def _duration(names: list[object]) -> tuple[int, Unit] | None:
    """The group of the most exact duration there is, and its unit."""
    group = _first(names, _DURATIONS)
    return None if group is None else (group, _DURATIONS[names[group - 1]])


def _rest_reader(format: str) -> Callable[[bytes], Duration | None] | None:  # noqa: A002
    groups, regex = format2regex(format)
    found = _duration([name for name, _, _ in groups])
    if found is None:  # it is in front, where nobody has it
        return None
    group, unit = found
    if format.endswith(f'" {groups[group - 1][1]}'):
        return partial(_read_last, unit)
    rest = _compile(regex)

    def read(text: bytes) -> Duration | None:
        match = rest.fullmatch(text.rstrip(b"\r"))
        return match and duration_of(match[group], unit)

    return read


def _read_last(unit: Unit, text: bytes) -> Duration | None:
    """Read what comes last, after something in quotes: much faster than by the format."""
    before, _, word = text.rstrip(b"\r").rpartition(b" ")
    return duration_of(word, unit) if before.endswith(b'"') else None
