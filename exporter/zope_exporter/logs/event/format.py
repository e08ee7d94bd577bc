"""How a record of an event log begins, worked out from the format its handler was given."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .fields import (
    PADDING,
    Field,
    date_regex,
    field_regex,
    level_regex,
    literal_regex,
    pieces_of,
    spaced,
)

# What Zope 4 and later and Plone's recipe write, and what ZConfig's handlers write by default.
# What is cut to seven characters may as well be longer.
_ZOPE4 = "%(asctime)s %(levelname)-8s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
_ZOPE2 = "------\n%(asctime)s %(levelname)s %(name)s %(message)s"
_ANY_LINE = re.compile(rb"\n()(?![ \t\n]|Traceback \(|\Z)")


@dataclass(frozen=True)
class RecordFormat:
    """Regular expressions for the line that begins a record, led by the newline before it.

    In `start` exactly one group matches, the level, empty where the format has none before its
    message. `tells_records` is false where nothing tells a record's first line from those that
    follow; then `start` takes each line for one that is not indented. `logger_start` is None where
    the format does not tell the logger; text without any of `logger_marks` has none of its records.
    `separators` are what of a record's start may stand at the end of a block, the longest first,
    led by a newline too.
    """

    start: re.Pattern[bytes]
    logger_start: re.Pattern[bytes] | None
    logger_marks: tuple[bytes, ...]
    separators: tuple[bytes, ...]
    tells_records: bool = True


def record_format(
    text: str | None = None, date_format: str | None = None, logger: str = "waitress"
) -> RecordFormat:
    """Work out how records begin whose format is that text, one of Python's logging or ZConfig's.

    Without it, it is those that Zope and Plone come with. Without a date format, dates may
    be in any form of ISO 8601. `logger_start` finds the records of `logger`.
    Raises ValueError, with the reason, for a format that is not understood.
    """
    date = date_regex(date_format)
    known = (_ZOPE4, _ZOPE2)
    beginnings = [_Beginning(each, date) for each in (known if text is None else (text,))]
    if not all(beginning.is_told for beginning in beginnings):
        return RecordFormat(_ANY_LINE, None, (), (b"\n",), tells_records=False)
    of_logger = [regex for each in beginnings if (regex := each.regex(logger))]
    return RecordFormat(
        start=_any_of([beginning.regex() for beginning in beginnings]),
        logger_start=_any_of(of_logger) if of_logger else None,
        logger_marks=tuple(each.mark(logger) for each in beginnings),
        separators=tuple(tail for each in beginnings for tail in each.separators()),
    )


def _any_of(regexes: list[str]) -> re.Pattern[bytes]:
    return re.compile(f"\n(?:{'|'.join(regexes)})".encode())


def _until_message(pieces: list[str | Field]) -> Iterator[str | Field]:
    for piece in pieces:
        if isinstance(piece, str) and "\n" in piece:
            yield piece[: piece.index("\n") + 1]
            return
        yield piece
        if isinstance(piece, Field) and piece.name == "message":
            return


def _is_anchor(piece: str | Field) -> bool:
    return isinstance(piece, Field) and (piece.name == "asctime" or piece.is_number)


class _Beginning:
    """The first line of a record as far as its message, and the lines that separate records."""

    def __init__(self, text: str, date: str) -> None:
        self._date = date
        self._pieces = pieces_of(text)
        self._separator = ""
        first = self._pieces[0]
        if isinstance(first, str):
            self._separator, newline, rest = first.rpartition("\n")
            self._separator += newline
            self._pieces[0] = rest
        self._pieces = list(_until_message(self._pieces))
        self._level = self._find_level()
        self._name = self._find("name")
        before = self._pieces if self._level is None else self._pieces[: self._level]
        anchors = [index for index, piece in enumerate(before) if _is_anchor(piece)]
        self._anchored = bool(anchors)
        # Without a level, a record is known by what stands before its message.
        self._last = self._level if self._level is not None else max(anchors, default=-1)
        self.is_told = self._level is not None or self._anchored or bool(self._separator)

    def _find_level(self) -> int | None:
        found = [self._find("levelname"), self._find("levelno")]
        levels = [index for index in found if index is not None]
        if not levels:
            return None
        level = min(levels)
        if isinstance(self._piece(level + 1), Field):
            raise ValueError("has nothing between the level and what follows it")
        return level

    def _find(self, name: str) -> int | None:
        for index, piece in enumerate(self._pieces):
            if isinstance(piece, Field) and piece.name == name:
                return index
        return None

    def _piece(self, index: int) -> str | Field | None:
        return self._pieces[index] if index < len(self._pieces) else None

    def separators(self) -> Iterator[bytes]:
        lines = self._separator.splitlines(keepends=True)
        for count in range(len(lines), 0, -1):
            yield ("\n" + "".join(lines[:count])).encode()

    def mark(self, logger: str) -> bytes:
        """What stands in every line of a logger, the more of it the rarer elsewhere."""
        named = None if self._name is None else self._pieces[self._name]
        following = None if self._name is None else self._piece(self._name + 1)
        tight = isinstance(named, Field) and not named.padded and isinstance(following, str)
        return f"{logger}{following if tight else ''}".encode()

    def regex(self, logger: str | None = None) -> str:
        """Match as far as the level, or all of a line of `logger`; "" if no field tells it."""
        if logger and self._name is None:
            return ""
        last = max(self._last, self._name or 0) if logger else self._last
        parts = [f"(?<=\n{re.escape(self._separator)})"] if self._separator else []
        for index, piece in enumerate(self._pieces[: last + 2]):
            if isinstance(piece, str):
                parts.append(literal_regex(piece))
            elif index <= last:
                parts.append(self._regex_of(piece, index, logger))
        if self._level is None and not logger:
            parts.append("()")
        return spaced("".join(parts)) + ("[^\n]*" if logger else "")

    def _regex_of(self, field: Field, index: int, logger: str | None) -> str:
        if field.name == "asctime":
            return self._date
        if index == self._level:
            return level_regex(field, self._anchored)
        if field.name == "name" and logger:
            padding = PADDING if field.padded else ""
            return f"{padding}{re.escape(logger)}{padding}"
        following = self._piece(index + 1)
        if index < self._last and not isinstance(following, str):
            raise ValueError(f"has nothing between {field.name} and what follows it")
        return field_regex(field, following if isinstance(following, str) else "")
