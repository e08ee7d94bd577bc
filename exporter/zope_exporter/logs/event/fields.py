"""The fields of a record: how the formats of Python's logging name them, and what they look like.

None of the regular expressions for them matches more than one line, and none can be matched in more
ways than it is long: what begins like a record and is none costs no more than reading it.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

SEVERITIES = ("TRACE", "DEBUG", "BLATHER", "INFO", "WARNING", "ERROR", "CRITICAL")
OTHER = "other"
# What zLOG, Python's logging and ZConfig also call them.
_ALIASES = {
    "PROBLEM": "WARNING",
    "WARN": "WARNING",
    "PANIC": "CRITICAL",
    "FATAL": "CRITICAL",
    "NOTSET": "TRACE",
}
LEVEL_NAMES = {**{name: name for name in SEVERITIES}, **_ALIASES}
_LEAST = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"), (15, "BLATHER"))
_NUMBER = re.compile(r"(?:Level )?(\d{1,9})")

_PERCENT = re.compile(
    r"%(?:\((?P<name>\w+)\)[#0\- +]*(?P<width>\d*)(?:\.(?P<precision>\d+))?[a-zA-Z]|(?P<literal>%))"
)
_BRACES_SPEC = re.compile(
    r"(?:.?[<>^=])?[-+ ]?#?0?(?P<width>\d*)(?:\.(?P<precision>\d+))?[a-zA-Z]?"
)
_DOLLAR_FIELD = re.compile(r"\$\{?[a-z]")
_NUMBERS = {"created", "levelno", "lineno", "msecs", "process", "relativeCreated", "thread"}
# zope.conf writes control characters so, on one line.
_ESCAPE = re.compile(r"\\([nrtbf])")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

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


def severity(level: str) -> str:
    """Return the severity that a level's name or number stands for.

    A number between two severities is the lesser one, as it is for logging itself; a name that
    nobody knows is "other". Names may be cut short, as `%(levelname)-7.7s` does to CRITICAL.
    """
    for name, found in LEVEL_NAMES.items():
        if level and name.startswith(level):
            return found
    number = _NUMBER.fullmatch(level)
    return _of_number(int(number[1])) if number else OTHER


def _of_number(number: int) -> str:
    for least, name in _LEAST:
        if number >= least:
            return name
    return "DEBUG" if number >= 10 else "TRACE"


@dataclass(frozen=True)
class Field:
    """A field of the record; `padded` if blanks may surround it, cut after `precision`."""

    name: str
    padded: bool = False
    precision: int | None = None

    @property
    def is_number(self) -> bool:
        return self.name in _NUMBERS


def pieces_of(text: str) -> list[str | Field]:
    """Take a format string of style %, { or $ to literal text and fields.

    No two texts are neighbours. Raises ValueError with the reason.
    """
    text = _ESCAPE.sub(lambda escape: _CONTROL[escape[1]], text)
    if "%(" in text:
        found = _percent(text)
    elif _DOLLAR_FIELD.search(text):
        found = _dollar(text)
    else:
        found = _braces(text)
    pieces: list[str | Field] = []
    for piece in found:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece:
            pieces.append(piece)
    if not any(isinstance(piece, Field) for piece in pieces):
        raise ValueError("has no field such as %(levelname)s")
    return pieces


def _percent(text: str) -> Iterator[str | Field]:
    end = 0
    for match in _PERCENT.finditer(text):
        yield _plain(text[end : match.start()])
        yield "%" if match["literal"] else _field(match["name"], match)
        end = match.end()
    yield _plain(text[end:])


def _plain(text: str) -> str:
    if "%" in text:
        raise ValueError(f"has a % that begins no field, in {text!r}")
    return text


def _field(name: str, spec: re.Match[str]) -> Field:
    precision = spec["precision"]
    return Field(name, bool(spec["width"]), None if precision is None else int(precision))


def _braces(text: str) -> Iterator[str | Field]:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"is no format string: {error}") from None
    for literal, name, spec, _ in parsed:
        yield literal
        if name is not None:
            found = _BRACES_SPEC.fullmatch(spec or "")
            if found is None:
                raise ValueError(f"has a field of unknown form, {{{name}:{spec}}}")
            yield _field(name, found)


def _dollar(text: str) -> Iterator[str | Field]:
    end = 0
    for match in string.Template.pattern.finditer(text):
        yield text[end : match.start()]
        name = match["named"] or match["braced"]
        if name:
            yield Field(name)
        else:
            yield "$" if match["escaped"] else match[0]
        end = match.end()
    yield text[end:]


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
