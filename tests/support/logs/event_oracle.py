"""What an event log says, read line by line: slow, and sharing nothing with what it judges."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

NAMES = {"CRITICA": "CRITICAL", "PANIC": "CRITICAL", "PROBLEM": "WARNING"}
SINCE_ZOPE4 = re.compile(
    rb"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d\d\d)? (?P<level>[A-Z]+) +\[(?P<logger>[^:]*):"
)
ZOPE2 = re.compile(
    rb"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d (?P<level>[A-Z]+)(?:\(\d+\))? (?P<logger>\S+) "
)
SEPARATOR = b"------"


@dataclass
class Expected:
    records: Counter[str] = field(default_factory=Counter)
    matches: Counter[str] = field(default_factory=Counter)
    unparsed: int = 0


def read_log(lines: Iterable[bytes], patterns: Mapping[str, str]) -> Expected:
    """Count lines that have lost their newlines."""
    records, unparsed = records_of(list(lines))
    expected = Expected(unparsed=unparsed)
    for level, record in records:
        expected.records[level] += 1
        for name, regex in patterns.items():
            if any(re.search(regex.encode(), line) for line in record):
                expected.matches[name] += 1
    return expected


def records_of(lines: list[bytes]) -> tuple[list[tuple[str, list[bytes]]], int]:
    """The records, second copies left out, with their levels; the number of lines before them."""
    records: list[tuple[str, list[bytes]]] = []
    unpaired: list[bytes] = []
    unparsed, current = 0, None
    for number, line in enumerate(lines):
        start = SINCE_ZOPE4.match(line)
        if number and lines[number - 1] == SEPARATOR:
            start = ZOPE2.match(line) or start
        if start:
            current = [line]
            if start["logger"] == b"waitress" and line in unpaired[-16:]:
                unpaired.remove(line)
                continue
            if start["logger"] == b"waitress":
                unpaired.append(line)
            level = start["level"].decode()
            records.append((NAMES.get(level, level), current))
        elif current is not None:
            current.append(line)
        else:
            last = number + 1 == len(lines)
            introduces = (
                last or SINCE_ZOPE4.match(lines[number + 1]) or ZOPE2.match(lines[number + 1])
            )
            unparsed += not (line == SEPARATOR and introduces)
    return records, unparsed
