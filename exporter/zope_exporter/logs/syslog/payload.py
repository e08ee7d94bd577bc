"""Payloads of syslog messages as the lines a log file would have."""

import re
import time
from collections.abc import Callable

from .message import Message

SEVERITIES = (
    *("CRITICAL", "CRITICAL", "CRITICAL", "ERROR"),
    # Python sends a level that it has no name for, as TRACE and BLATHER are, as a warning too.
    *("WARNING", "INFO", "INFO", "DEBUG"),
)

# The name of the logger, which zope.conf's <syslog> puts in front unless it has a format.
_LOGGER = re.compile(rb"(?:access|wsgi) (?!- )")
_SEPARATOR = b"------\n"
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
# What begins a record by itself, and after a separator.
_RECORD = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* +"
    rb"(?:TRACE|DEBUG|BLATHER|INFO|WARN|WARNING|PROBLEM|ERROR|CRITICAL|PANIC|FATAL) +(\[?)"
)
_TRACEBACK = (b"Traceback (most recent call last)", b"Traceback (innermost last)")


def access_line(message: Message) -> bytes:
    """Return the one line of an access log a message carries, with its newline."""
    line = message.text if message.body.startswith(b"- ") else message.body
    line = line[match.end() :] if (match := _LOGGER.match(line)) else line
    return line.replace(b"\n", b" ") + b"\n"


class EventRecords:
    """Turns messages into records of an event log as Zope writes them, of one or more whole lines.

    A message that has a date and a severity keeps them; any other gets the severity of its
    priority. A traceback sent line by line continues the record before it; where several senders
    do so at once, some of its lines become records.
    """

    def __init__(self, tag: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self._tag = tag.encode() if tag is not None else None
        self._clock = clock
        self._in_traceback = False

    def lines(self, message: Message) -> bytes:
        """Return what to append to the event log, nothing for an empty message."""
        first, newline, rest = self._payload(message).partition(b"\n")
        if not first:
            return b""
        record = _RECORD.match(first)
        if record is None and self._continues(first):
            return _continuation(first + newline + rest)
        self._in_traceback = False
        if record is None:
            first = self._beginning(message) + first
        if record is None or not record[1]:
            first = _SEPARATOR + first
        return first + b"\n" + (_continuation(rest) if rest else b"")

    def _payload(self, message: Message) -> bytes:
        whole, body = (
            _unescaped(text, message.relayed).removeprefix(_SEPARATOR)
            for text in (message.text, message.body)
        )
        named = message.certain or message.tag == self._tag
        return body if named or _RECORD.match(body) else whole

    def _beginning(self, message: Message) -> bytes:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._clock()))
        tag = message.tag if message.certain or message.tag == self._tag else b"syslog"
        return f"{moment} {SEVERITIES[message.severity]} ".encode() + tag + b" "

    def _continues(self, first: bytes) -> bool:
        if first.startswith(_TRACEBACK):
            self._in_traceback = True
            return True
        if first[:1] in b" \t":
            return True
        # The exception itself ends a traceback and is not indented.
        ended, self._in_traceback = self._in_traceback, False
        return ended


def _unescaped(payload: bytes, relayed: bool) -> bytes:
    return payload.replace(b"#012", b"\n").replace(b"#011", b"\t") if relayed else payload


def _continuation(lines: bytes) -> bytes:
    """The further lines of a record, none of which may be taken for the beginning of another."""
    return b"".join(
        b" " * (line.startswith(b"------") or _DATE.match(line) is not None) + line + b"\n"
        for line in lines.split(b"\n")
    )
