"""Regular expressions for the fields that may stand at the beginning of a record.

None of them matches more than one line, and none can be matched in more ways than it is long: what
begins like a record and is none costs no more than reading it.
"""

import re

from .format_string import Field
from .severity import LEVEL_NAMES

_TEXT = "{1,300}"
_WIDEST = 80
PADDING = "\0"  # around a field, until `spaced` has made one of all that follow each other
_SPACE = re.compile("[ \0]*\0[ \0]*")
# Years from 1000 on: a clock that was never set says 1970, and a wrong one 9999.
_ISO = r"[1-9]\d{3}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z| ?[+-]\d\d:?\d\d)?"
_DIRECTIVE = re.compile(r"%([-EO^#_]?)(.)", re.DOTALL)
_SHORT = {"D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "r": "%I:%M:%S %p"}
_WORD = r"[^\s\d]{1,40}"
_DIRECTIVES = {
    **dict.fromkeys("CHIMSUVWdegklmuwy", r"[ \d]?\d"),
    **dict.fromkeys("ABPabhp", _WORD),
    "G": r"\d{4}",
    "Y": r"\d{4}",
    "Z": r"[^\s\d]{0,40}",
    "f": "%f",  # time.strftime knows no microseconds and leaves it as it is
    "j": r"\d{1,3}",
    "s": r"\d{1,12}",
    "t": "\t",
    "z": r"(?:Z|[+-]\d\d:?\d\d)?",
    "%": "%",
}


def date_regex(date_format: str | None) -> str:
    """Match dates of a format of time.strftime, or any of ISO 8601 if there is none.

    Raises ValueError for a directive whose text depends on the locale.
    """
    if date_format is None:
        return _ISO
    if "\n" in date_format:
        raise ValueError("has a date of several lines")
    parts, end = [], 0
    for directive in _DIRECTIVE.finditer(date_format):
        parts += [re.escape(date_format[end : directive.start()]), _directive(directive)]
        end = directive.end()
    return "".join(parts) + re.escape(date_format[end:])


def _directive(directive: re.Match[str]) -> str:
    letter = directive[2]
    if letter in _SHORT:
        return date_regex(_SHORT[letter])
    if letter not in _DIRECTIVES:
        raise ValueError(f"has {directive[0]} in its date, which has no fixed form")
    return _DIRECTIVES[letter]


def level_regex(field: Field, anchored: bool) -> str:
    """Match a level, as one group.

    Unless a date or a number before it makes sure of it, only names that are known are levels.
    """
    if field.name == "levelno":
        return _padded(field, "([0-9]{1,9})")
    names = dict.fromkeys(name[: field.precision] for name in LEVEL_NAMES)
    known = "|".join(sorted(names, key=len, reverse=True))
    named = r"[A-Z]{1,40}|Level \d{0,9}" if anchored else known
    # zLOG wrote its own number behind the name.
    return _padded(field, rf"({named})(?:\(-?\d{{1,4}}\))?")


def field_regex(field: Field, following: str) -> str:
    """Match any other field; text runs to the first character of the literal that follows it."""
    if field.is_number:
        return _padded(field, r"[-+]?\d{1,20}(?:\.\d{1,20})?")
    if following[:1] != " ":
        return f"[^{re.escape(following[:1])}\n]{_TEXT}"
    # Python calls an unnamed thread "Thread-1 (its function)".
    more = r"(?: \([^)\n]{0,100}\))?" if field.name == "threadName" else ""
    return _padded(field, rf"[^ \n]{_TEXT}{more}")


def _padded(field: Field, regex: str) -> str:
    return f"{PADDING}{regex}{PADDING}" if field.padded else regex


def literal_regex(text: str) -> str:
    """Match a text itself."""
    return re.escape(text).replace("\\ ", " ")


def spaced(regex: str) -> str:
    """Match padding and the blanks beside it as one.

    Many blanks in a row could else be shared out among several fields in very many ways.
    """

    def blanks(run: re.Match[str]) -> str:
        least = run[0].count(" ")
        return f" {{{least},{least + _WIDEST * run[0].count(PADDING)}}}"

    return _SPACE.sub(blanks, regex)
