"""Counting the records in which patterns are found, in time linear in the text."""

import re
from collections.abc import Mapping

import re2

# RE2 is told never to match a newline, so that only these could still look beyond a line.
_BEYOND_LINES = re.compile(r"(?:[^\\]|\\[^AzC])*?(\\[AzC]|\(\?[a-zA-Z]*-[a-zA-Z]*m)")


class PatternCounter:
    """Counts the records in which each of some patterns (RE2) is found.

    A pattern is looked for in each line of a record; `^` and `$` are the ends of a line. A record
    counts once per pattern, in however many lines and calls it comes.
    """

    def __init__(self, patterns: Mapping[str, str], start: re.Pattern[bytes]) -> None:
        """Prepare patterns by name for records that begin where `start` matches.

        Raises ValueError, naming the pattern and the reason.
        """
        self.counts: dict[str, int] = dict.fromkeys(patterns, 0)
        self.found: set[str] = set()  # in the last record so far
        self._start = start
        self._names = tuple(patterns)
        by_line = [_by_line(name, regex) for name, regex in patterns.items()]
        self._which = re2.Set.SearchSet(_options())
        for regex in by_line:
            self._which.Add(regex)
        try:
            self._any = re2.compile("|".join(by_line), _options())
            self._which.Compile()
        except re2.error:
            raise ValueError("patterns are too large together; have fewer repetitions") from None

    def count(self, text: bytes, pos: int) -> None:
        """Count in whole lines from a position on, which follows a newline.

        Lines before the first start of a record belong to the last record of the call before.
        """
        end = self._end(text, pos - 1)
        # After the last newline is no line, not even an empty one.
        while pos < len(text) and (hit := self._any.search(text, pos, len(text) - 1)):
            if hit.start() >= end:
                self.found.clear()
                end = self._end(text, hit.start())
            line = text.rfind(b"\n", 0, hit.start()) + 1
            which = self._which.Match(text[line : end - 1])
            new = {self._names[index] for index in which} - self.found
            for name in new:
                self.counts[name] += 1
            self.found |= new
            pos = end
        if end < len(text):
            self.found.clear()

    def _end(self, text: bytes, inside: int) -> int:
        following = self._start.search(text, inside)
        return following.start() + 1 if following else len(text)


def _by_line(name: str, regex: str) -> str:
    by_line = f"(?m:{regex})"
    try:
        re2.compile(regex, _options())  # by itself too: its parentheses must match within it
        re2.compile(by_line, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"pattern {name} is not a regular expression of RE2: {text}") from None
    beyond = _BEYOND_LINES.match(regex)
    if beyond:
        raise ValueError(f"pattern {name} has {beyond[1]}, but is looked for line by line")
    return by_line


def _options() -> re2.Options:
    options = re2.Options()
    options.never_nl = True
    options.never_capture = True
    options.log_errors = False
    return options
