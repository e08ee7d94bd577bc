"""What an access log says, found slowly and without a regular expression."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

KNOWN = (
    b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT "
    b"PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK"
).split()


@dataclass
class Expected:
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    response_bytes: int = 0
    unparsed: int = 0


def read_log(lines: Iterable[bytes]) -> Expected:
    """Count lines without their newlines."""
    expected = Expected()
    for line in lines:
        found = _read(line)
        if found is None:
            expected.unparsed += 1
        else:
            method, code, size = found
            expected.requests[method, code] += 1
            expected.response_bytes += size
    return expected


def _read(line: bytes) -> tuple[str, int, int] | None:
    start = _end_of_date(line)
    if start is None:
        return None
    quote = line.find(b'" ', start)
    while quote >= 0:
        code, _, rest = line[quote + 2 : quote + 400].partition(b" ")
        size = rest.replace(b"\r", b" ").partition(b" ")[0]
        if not _escaped(line, start, quote) and _is_answer(code, size):
            break
        quote = line.find(b'" ', quote + 1)
    else:
        return None
    if not 100 <= int(code) <= 599 or len(size) > 18:
        return None
    method = line[start:quote].split(b" ")[0]
    name = method.decode() if method in KNOWN else "other"
    return name, int(code), 0 if size == b"-" else int(size)


def _is_answer(code: bytes, size: bytes) -> bool:
    return len(code) == 3 and code.isdigit() and (size == b"-" or size.isdigit())


def _end_of_date(line: bytes) -> int | None:
    end = line.find(b'] "')
    while end >= 0:
        begin = line.rfind(b"[", 0, end)
        while begin >= max(0, end - 50):
            if _is_date(line[begin + 1 : end]):
                return end + 3
            begin = line.rfind(b"[", 0, begin)
        end = line.find(b'] "', end + 1)
    return None


def _is_date(text: bytes) -> bool:
    day, _, rest = text.partition(b"/")
    month, _, rest = rest.partition(b"/")
    year, *clock = rest[:-6].split(b":")
    sign, zone = rest[-6:-4], rest[-4:]
    numbers = [day, *clock]
    return (
        all(len(number) == 2 and number.isdigit() for number in numbers)
        and len(clock) == 3
        and all(len(number) == 4 and number.isdigit() for number in (year, zone))
        and sign in (b" +", b" -")
        and 1 <= len(month) <= 24
        and not {*b'" \n'} & {*month}
    )


def _escaped(line: bytes, start: int, quote: int) -> bool:
    text = line[start:quote]
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1
