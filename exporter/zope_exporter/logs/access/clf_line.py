"""One line of an access log in Common or combined format, as Apache, Paste and Zope 2 write it.

Apache escapes quotes, Paste's translogger and Zope 2 do not, so that a client's query, referer or
user agent may hold what looks like the end of the request. Method, URI and version hold no blank,
though: the first quote that is followed by a status and a size is the real one. Before the date
may be anything, such as the list of addresses of a forwarded request.
"""

import re

from .requests import Request, make_request

# Months are in the language of the server's locale.
_BEFORE_REQUEST = re.compile(
    rb'\[[0-9]{2}/[^/" \n]{1,24}/[0-9]{4}(?::[0-9]{2}){3} [+-][0-9]{4}\] "'
)
_AFTER_REQUEST = re.compile(rb'" ([0-9]{3}) ([0-9]+|-)(?=[ \r]|\Z)')
_BACKSLASH = ord("\\")


def read_line(line: bytes) -> Request | None:
    """Read a line without its newline; None if it tells of no request.

    There is no second try behind another date: that would make long lines cost the square of
    their length.
    """
    opening = _BEFORE_REQUEST.search(line)
    if opening is None:
        return None
    for closing in _AFTER_REQUEST.finditer(line, opening.end()):
        if not _is_escaped(line, closing.start()):
            method = line[opening.end() : closing.start()].partition(b" ")[0]
            return make_request(method, *closing.groups())
    return None


def _is_escaped(line: bytes, quote: int) -> bool:
    before = quote
    while line[before - 1] == _BACKSLASH:
        before -= 1
    return (quote - before) % 2 == 1
