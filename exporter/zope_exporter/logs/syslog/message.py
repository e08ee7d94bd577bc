"""Syslog messages as they come off the wire: RFC 5424, RFC 3164, and what Zope and Python send."""

import re
from dataclasses import dataclass

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
