"""Access logs in a format of their own, given as that of Paste's translogger."""

import re

import re2

from .requests import Request, make_request

_FIELD = re.compile(r"%\((?P<name>\w+)\)[-0-9.]*[sd]|%%")
_REGEXES = {
    "REMOTE_ADDR": r"[^ ]*(?:, [^ ]*)*",
    "REQUEST_METHOD": r"([^ ]+)",
    "HTTP_VERSION": r"[^ \"]*",
    "status": r"([0-9]{3})",
    "bytes": r"([0-9]+|-)",
    "time": r"[^\]]{1,60}",
    # What the handler's own format may have in front.
    "asctime": r"[^ ]+(?: [^ ]+)?",
    "levelname": r" *[A-Z]+ *",
}
_COUNTED = ("REQUEST_METHOD", "status", "bytes")
_COMMON = re.compile(
    r'(^|[^\[]* )\[%\(time\)s\] "%\(REQUEST_METHOD\)s %\(REQUEST_URI\)s %\(HTTP_VERSION\)s" '
    r"%\(status\)s %\(bytes\)s( .*)?"
)


def is_of_translogger(text: str) -> bool:
    """Tell formats of Paste from those of Apache."""
    return "%(" in text


class TransloggerFormat:
    """Reads lines of one format, which may be within that of the handler.

    Raises ValueError, with the reason, for a format that leaves out what is counted.
    """

    def __init__(self, format: str) -> None:  # noqa: A002
        fields = [field["name"] for field in _FIELD.finditer(format) if field["name"] in _COUNTED]
        for needed in _COUNTED[:2]:
            if needed not in fields:
                raise ValueError(f"log format {format!r} has no %({needed})s: add it")
        self.is_common = _COMMON.fullmatch(format) is not None
        self.has_size = "bytes" in fields
        self.has_duration, self.read_rest = False, None
        # Groups are counted from 1; of a field that is there twice the first one counts.
        self._groups = [fields.index(name) + 1 for name in _COUNTED if name in fields]
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        try:
            self._line = re2.compile(_regex(format).encode("utf-8", "surrogateescape"), options)
        except re2.error:
            raise ValueError(f"log format {format!r} is too long: shorten it") from None

    def read_line(self, line: bytes) -> Request | None:
        """Read a line without its newline; None if it is of another form."""
        found = self._line.fullmatch(line.rstrip(b"\r"))
        if found is None:
            return None
        method, status, *size = (found[group] for group in self._groups)
        return make_request(method, status, *(size or [b"-"]))


def _regex(text: str) -> str:
    parts, end = list[str](), 0
    for field in _FIELD.finditer(text):
        parts.append(re.escape(text[end : field.start()]))
        parts.append(_REGEXES.get(field["name"], ".*?") if field["name"] else "%")
        end = field.end()
    return "".join([*parts, re.escape(text[end:])])
