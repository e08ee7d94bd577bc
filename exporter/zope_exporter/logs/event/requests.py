"""Requests of an access log among the records of an event log, where both go to one file.

A record of a request stays a record, but what the visitor wrote is taken out of it: anybody could
else bring about what patterns look for, with an address such as /POSKeyError.
"""

import re

_HINT = b'] "'
# The date of a request, and all of its line from there on; months are in any language.
_REQUEST = re.compile(
    rb'\n([^\n]{0,2000}?)\[[0-9]{2}/[^/" \n]{1,24}/[0-9]{4}(?::[0-9]{2}){3} [+-][0-9]{4}\] "[^\n]*'
)


def without_requests(text: bytes, start: re.Pattern[bytes], shared: bool) -> bytes:
    """Take requests out of lines led by a newline.

    Of a line in which a record begins, as `start` has it, that beginning stays. Others go wholly if
    the file is `shared`, as they are counted elsewhere, and are a line of no record if it is not.
    """
    if _HINT not in text:
        return text

    def left(line: re.Match[bytes]) -> bytes:
        if not shared or start.match(text, line.start()):
            return b"\n" + line[1]
        return b""

    return _REQUEST.sub(left, text)
