"""Syslog messages: taken apart, assigned to a log, and made the lines that a log file would have.

They come as RFC 5424, as RFC 3164, and as Zope and Python send them.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

# RFC 3164, 4.3.3: a packet without a priority is to be taken as user.notice.
DEFAULT_PRIORITY = 13
MAX_PRIORITY = 191
_BOM = b"\xef\xbb\xbf"
_PRIORITY = re.compile(rb"<(\d{1,3})>")
_RFC5424 = re.compile(
    rb"1 (?:-|\d{4}-\d\d-\d\dT[^ ]{1,32}) [^ ]{1,255} ([^ ]{1,48}) ([^ ]{1,128}) [^ ]{1,32} "
    rb'(?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+)(?: |$)',
    re.DOTALL,
)
# rsyslog's own time stamps always have a zone; one without belongs to the message.
_TIMESTAMP = re.compile(
    rb"(?:[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d|"
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) "
)
_HOST = re.compile(rb"[^ ]{1,255} ")
_TAG = re.compile(rb"([^\s:\[]{1,64})(\[[^\]\s]{0,128}\])?:(?: |$)")

LogName = Literal["access", "event"]
_NUMBERED = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr"),
    *("news", "uucp", "cron", "authpriv", "ftp", "ntp"),
)
FACILITIES = {
    **{name: code for code, name in enumerate(_NUMBERED)},
    **{f"local{number}": 16 + number for number in range(8)},
}

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


@dataclass(frozen=True)
class Message:
    """One datagram taken apart.

    `text` is the payload with the word in front that may be a tag or the payload's own first word,
    `body` the payload without it. A tag that names a process id can be nothing else: `certain`.
    A `relayed` message has a time stamp of its own, so a syslog daemon may have escaped it.
    """

    facility: int
    severity: int
    tag: bytes
    certain: bool
    relayed: bool
    text: bytes
    body: bytes


def parse(datagram: bytes) -> Message:
    """Take a datagram apart; any bytes are a message, at worst all of them payload."""
    # logging's SysLogHandler and Zope 2 end with a NUL, others with a newline.
    content = datagram.rstrip(b"\0\r\n")
    priority = DEFAULT_PRIORITY
    if (match := _PRIORITY.match(content)) and int(match[1]) <= MAX_PRIORITY:
        priority = int(match[1])
        content = content[match.end() :]
    if match := _RFC5424.match(content):
        return _structured(priority, match, content[match.end() :])
    return _traditional(priority, content)


def _structured(priority: int, header: re.Match[bytes], payload: bytes) -> Message:
    tag, process = header[1], header[2]
    body = payload.removeprefix(_BOM).removeprefix(b" ")  # rsyslog leaves the space after the tag
    text = body if tag == b"-" else tag + b" " + body
    return Message(*divmod(priority, 8), tag, process != b"-", True, text, body)


def _traditional(priority: int, content: bytes) -> Message:
    header = _TIMESTAMP.match(content)
    text = content[header.end() :] if header else content.removeprefix(_BOM)
    tag = _TAG.match(text)
    if tag is None and header and (host := _HOST.match(text)):
        text = text[host.end() :]
        tag = _TAG.match(text)
    if tag is None:
        return Message(*divmod(priority, 8), b"", False, header is not None, text, text)
    body = text[tag.end() :].removeprefix(_BOM)
    return Message(*divmod(priority, 8), tag[1], tag[2] is not None, header is not None, text, body)


@dataclass(frozen=True)
class Route:
    """The messages of one log: those of a facility, with a tag, or both; with neither, none."""

    facility: str | None = None
    tag: str | None = None

    def takes(self, message: Message) -> bool:
        if self.facility is None and self.tag is None:
            return False
        return (self.facility is None or FACILITIES[self.facility] == message.facility) and (
            self.tag is None or self.tag.encode() == message.tag
        )


@dataclass(frozen=True)
class SyslogSettings:
    """What one site receives, and how its two logs are told apart; `access` is tried first.

    `listen` is what `parse_address` reads, `mode` that of the file of a Unix socket.
    """

    listen: str
    access: Route = field(default_factory=lambda: Route("local0"))
    event: Route = field(default_factory=lambda: Route("user"))
    mode: int = 0o600

    def log_of(self, message: Message) -> LogName | None:
        if self.access.takes(message):
            return "access"
        return "event" if self.event.takes(message) else None


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
