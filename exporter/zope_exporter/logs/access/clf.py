"""Lines in Common or combined format, as Apache, Paste and Zope 2 write them.

Nearly all of them are read many at a time by numpy. The quotes and newlines of a block are found
first. Where the first quote of a line ends a date and the second is followed by a status, which is
so unless a request holds quotes, two windows of eight-byte words around them tell all there is to
count. What is not exactly as expected there is left to `read_line`, one line at a time.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .durations import Duration
from .requests import CODES, Request, RequestCounts, make_request

Words = NDArray[np.uint64]
Positions = NDArray[np.intp]
Choice = NDArray[np.bool_]
Reader = Callable[[bytes], Request | None]
RestReader = Callable[[bytes], Duration | None]
_QUOTE, _NEWLINE, _BACKSLASH = b'"\n\\'
_COMMON_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_STRIP = 128 * 1024
_PIECE = 512 * 1024  # the arrays made for a piece of nothing but newlines are 40 times its size
_WORD = np.dtype("<u8")  # so that the first byte of a text is the lowest of its word

# Months are in the language of the server's locale.
_BEFORE_REQUEST = re.compile(
    rb'\[[0-9]{2}/[^/" \n]{1,24}/[0-9]{4}(?::[0-9]{2}){3} [+-][0-9]{4}\] "'
)
_AFTER_REQUEST = re.compile(rb'" ([0-9]{3}) ([0-9]+|-)(?=[ \r]|\Z)')


class _Shape(NamedTuple):
    """Words of a text in which `0` stands for any digit, `a` for any letter, `?` for any byte.

    Where a byte differs from `want` in the bits of `keep`, the difference plus `spare` is below 16
    if the byte fits.
    """

    want: Words
    keep: Words
    spare: Words

    @classmethod
    def of(cls, text: str) -> "_Shape":
        kinds = {"0": (0x30, 0xFF, 0x06), "a": (0x40, 0xC0, 0x0F), "?": (0, 0, 0)}
        columns = zip(*(kinds.get(char, (ord(char), 0xFF, 0x0F)) for char in text), strict=True)
        return cls(*(np.frombuffer(bytes(column), _WORD)[:, None] for column in columns))

    def fits(self, words: Words) -> Choice:
        difference = (words[: len(self.want)] ^ self.want) & self.keep
        odd = np.bitwise_or.reduce(difference | (difference + self.spare), axis=0)
        fits: Choice = odd & 0xF0F0F0F0F0F0F0F0 == 0
        return fits


_DATE = _Shape.of('??[00/aaa/0000:00:00:00 ?0000] "')
_STATUS = _Shape.of('??" 000 ')
_DATE_WINDOW = 40  # the date, the quote, and the word that the method begins
_STATUS_WINDOW = 16  # the quote with the two bytes before, the status, and eight bytes of the size


class _Lines(NamedTuple):
    """Where the lines that have two quotes begin and end, and where those are."""

    begin: Positions
    end: Positions
    opening: Positions
    closing: Positions


def count(
    block: bytes,
    counts: RequestCounts,
    read: Reader | None = None,
    read_rest: RestReader | None = None,
) -> None:
    """Add what the lines of `block`, each ending in a newline, tell to `counts`.

    Lines that are not plain are given to `read`, `read_line` by default; of the others what comes
    from their second quote on to `read_rest`, if the format has durations there.
    """
    read = read or read_line
    start = 0
    while start < len(block):
        end = start + _PIECE
        if end < len(block):
            end = block.rfind(b"\n", start, end) + 1 or block.index(b"\n", end) + 1
        _count(memoryview(block)[start:end], counts, read, read_rest)
        start = end


def _count(
    block: memoryview, counts: RequestCounts, read: Reader, read_rest: RestReader | None
) -> None:
    lines, others = _find_lines(block)
    counts.unparsed += others
    plain = _count_plain(block, lines, counts)
    for line in np.flatnonzero(~plain):
        counts.add(read(bytes(block[lines.begin[line] : lines.end[line]])))
    if read_rest is not None:
        closing, end = lines.closing[plain].tolist(), lines.end[plain].tolist()
        pairs = zip(closing, end, strict=True)
        counts.durations.add(read_rest(bytes(block[start:stop])) for start, stop in pairs)


def _find_lines(block: memoryview) -> tuple[_Lines, int]:
    text = np.frombuffer(block, np.uint8)
    marks = _find_marks(text)
    newlines = np.flatnonzero(text[marks] == _NEWLINE)
    before = np.concatenate(([-1], newlines[:-1]))
    quoted = newlines - before > 2
    before = before[quoted]
    begin = marks[before] + 1
    if before.size and before[0] < 0:
        begin[0] = 0
    lines = _Lines(begin, marks[newlines[quoted]], marks[before + 1], marks[before + 2])
    return lines, len(newlines) - len(before)


def _find_marks(text: NDArray[np.uint8]) -> Positions:
    """Where the quotes and newlines are, sought in strips that a processor's cache can hold."""
    found = []
    for start in range(0, len(text), _STRIP):
        strip = text[start : start + _STRIP]
        is_mark = strip == _QUOTE
        is_mark |= strip == _NEWLINE
        found.append(np.flatnonzero(is_mark) + start)
    return np.concatenate(found)


def _count_plain(block: memoryview, lines: _Lines, counts: RequestCounts) -> Choice:
    """Count the lines that are exactly as expected; return which they are."""
    if len(block) < _DATE_WINDOW:
        return np.zeros(len(lines.begin), bool)
    start = lines.opening - 31
    date = _windows(block, start, _DATE_WINDOW)
    status = _windows(block, lines.closing - 2, _STATUS_WINDOW)
    method = _methods(date[4])
    code = _digit(status[0], 4) * 100 + _digit(status[0], 5) * 10 + _digit(status[0], 6)
    size, is_size = _sizes(status[1])
    sign = date[3] & 0xFF
    plain: Choice = (
        (start >= lines.begin)
        & (lines.closing + _STATUS_WINDOW - 2 <= len(block))
        & _DATE.fits(date)
        & ((sign == ord("+")) | (sign == ord("-")))
        & _STATUS.fits(status)
        & (status[0] >> 8 & 0xFF != _BACKSLASH)
        & (method >= 0)
        & (code >= CODES.start)
        & (code < CODES.stop)
        & is_size
    )
    kinds = np.bincount(method[plain] * CODES.stop + code[plain].astype(np.intp))
    for kind in np.flatnonzero(kinds):
        method_number, seen = divmod(int(kind), CODES.stop)
        counts.requests[_COMMON_METHODS[method_number], seen] += int(kinds[kind])
    counts.response_bytes += int(size[plain].sum())
    return plain


def _windows(block: memoryview, starts: Positions, width: int) -> Words:
    """The words at each start; at a start too near an end of the block, those of another place."""
    places = len(block) - width + 1
    windows = np.ndarray(places, np.dtype((np.void, width)), block, strides=(1,))
    rows: Words = windows[np.clip(starts, 0, places - 1)].view(_WORD)
    return np.ascontiguousarray(rows.reshape(-1, width // 8).T)


def _methods(words: Words) -> Positions:
    """The number of the method that each word begins with, -1 for all but the common ones."""
    numbers = np.full(len(words), -1)
    for number, method in enumerate(_COMMON_METHODS):
        name = f"{method} ".encode()
        numbers[words & (1 << 8 * len(name)) - 1 == int.from_bytes(name, "little")] = number
    return numbers


def _digit(words: Words, byte: int) -> Words:
    return words >> np.uint64(8 * byte) & np.uint64(0xF)


def _sizes(words: Words) -> tuple[Words, Choice]:
    """The number of up to seven digits at the start of each word, 0 for `-`, and if it is one."""
    dash = words & 0xFF == ord("-")
    digits = np.where(dash, words ^ (ord("-") ^ ord("0")), words) ^ 0x3030303030303030
    # The high bit of every byte that is no digit; beyond the first of them a carry may disturb.
    stops = (digits + 0x7676767676767676 | digits) & 0x8080808080808080
    length = np.bitwise_count((stops & (~stops + 1)) - 1) >> 3
    bits = length.astype(_WORD) << 3
    end = words >> bits & 0xFF
    ended = (end == ord(" ")) | (end == ord("\r")) | (end == ord("\n"))
    # Leading zeros, then neighbours are joined: digits to pairs, pairs to fours, fours to eight.
    number = digits << (64 - bits)
    number = (number * 10 + (number >> 8)) & 0x00FF00FF00FF00FF
    number = (number * 100 + (number >> 16)) & 0x0000FFFF0000FFFF
    number = (number * 10000 + (number >> 32)) & 0x00000000FFFFFFFF
    return number, ended & (length >= 1) & (length < 8) & (~dash | (length == 1))


def read_line(line: bytes) -> Request | None:
    """Read a line without its newline; None if it tells of no request.

    Apache escapes quotes, Paste's translogger and Zope 2 do not, so that a client's query, referer
    or user agent may hold what looks like the end of the request. Method, URI and version hold no
    blank, though: the first quote that is followed by a status and a size is the real one. Before
    the date may be anything, such as the list of addresses of a forwarded request. There is no
    second try behind another date: that would make long lines cost the square of their length.
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
