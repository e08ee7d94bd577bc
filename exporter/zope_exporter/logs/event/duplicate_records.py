"""Records of the logger waitress that a Zope writes twice.

The zope.ini that Zope and Plone come with gives the handler of the event log both to the logger
waitress and to the root logger, which also gets what waitress logs.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from zope_exporter.logs.tail.lines import JSON

from .format import RecordFormat

# Two threads may log at once, so that the copies of their records take turns.
_REMEMBERED = 16


class DoubledRecords:
    """Finds the second copies: a first line equal to that of one of the last 16 records of waitress
    whose second copy has not come yet. As the line has the time and the thread, only a log that is
    not doubled can lose a record by this, where one thread logs the same twice within a second.
    """

    def __init__(self, records: RecordFormat) -> None:
        self._start = records.start
        self._waitress = records.logger_start
        self._marks = records.logger_marks
        self._separators = records.separators
        self._single: deque[str] = deque(maxlen=_REMEMBERED)
        self._in_copy = False

    def without_copies(self, text: bytes, begin: int) -> bytes:
        """Take second copies out of whole lines; before `begin` is only a separator."""
        if self._waitress is None:
            return text
        if not (self._in_copy or any(mark in text for mark in self._marks)):
            return text
        kept, kept_from = [], 0
        if self._in_copy:
            kept, kept_from = [text[:begin]], self._end(text, begin - 1)
        for record in self._waitress.finditer(text):
            if not self._is_copy(record[0]):
                continue
            copy = record.start() + 1
            kept.append(text[kept_from:copy])
            kept_from = self._end(text, copy)
        self._in_copy = kept_from == len(text)
        return b"".join([*kept, text[kept_from:]])

    def _end(self, text: bytes, inside: int) -> int:
        following = self._start.search(text, inside)
        if following is None:
            return len(text)
        end = following.start() + 1
        # What separates the following record from the copy belongs to it.
        separator = next((each for each in self._separators if text.endswith(each, 0, end)), b"\n")
        return end - len(separator) + 1

    def _is_copy(self, line: bytes) -> bool:
        digest = blake2b(line, digest_size=8).hexdigest()
        if digest in self._single:
            self._single.remove(digest)
            return True
        self._single.append(digest)
        return False

    def save(self) -> dict[str, JSON]:
        return {"single": list(self._single), "in_copy": self._in_copy}

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""
        match state:
            case {"single": Sequence() as single, "in_copy": bool() as in_copy}:
                self._single = deque(map(str, single), maxlen=_REMEMBERED)
                self._in_copy = in_copy
            case _:
                raise ValueError("not the state of doubled records")
