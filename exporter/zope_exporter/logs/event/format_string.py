"""Format strings of Python's logging in its three styles, taken to pieces."""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

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
