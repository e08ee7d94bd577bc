"""LineReader one file line by line, from where it was left."""

import re
from dataclasses import replace

from .errors import ContentChangedError
from .file import LogFile
from .lines import LineCounter
from .position import SAMPLE, Position, digest

LONGEST_LINE = 1 << 20
_NULS = re.compile(rb"\0*")
_NULS_BEFORE_LINE = re.compile(rb"\n\0+")


class LineReader:
    """A file that is being read into a counter.

    Its position is never within a line, for the rest of a line may come later; only a line of
    more than 1 MiB is left behind as it comes. `grown` is when the file was last seen to grow, by
    the clock of the caller.
    """

    def __init__(self, file: LogFile, position: Position, grown: float) -> None:
        self.file = file
        self.position = replace(
            position, path=file.path, device=file.identity[0], inode=file.identity[1]
        )
        self.grown = grown

    def holds(self) -> bool:
        """Tell whether the file still has what was read of it. Raises OSError."""
        return self.position.holds(self.file)

    def read(self, counter: LineCounter, budget: int) -> int:
        """Count whole lines up to the end, or until the budget in bytes is used up.

        Return what is left of the budget. Raises OSError, ContentChangedError.
        """
        while budget > 0:
            got = self._read_block(counter)
            budget -= got
            if got < LONGEST_LINE:
                break
        return budget

    def finish(self, counter: LineCounter) -> None:
        """Count the last line though it has no end. Raises OSError."""
        position = self.position
        rest = self.file.read(position.seen - position.offset, position.offset)
        self.position = replace(position, offset=position.seen, skipping=False)
        if rest:
            counter.feed(rest + b"\n")

    def unread(self) -> int:
        return self.file.unread(self.position.offset)

    def _read_block(self, counter: LineCounter) -> int:
        """Count the whole lines of a block; return the size of the block."""
        before = self.position
        # What was seen before is read again, in the same call: a truncated file may have grown
        # past our offset at any moment, and then begins with other lines.
        start = min(before.offset, before.tail_start)
        lead = before.offset - start
        modified = self.file.modified()  # before the read: what comes after it may be missed
        data = self.file.read(lead + LONGEST_LINE, start)
        self._check(data, start)
        first, last, skipping = self._cut(data, lead)
        # The position moves first: a counter that fails must not get the same lines again.
        self.position = replace(
            before,
            offset=start + last,
            seen=start + len(data),
            head=digest(data[:SAMPLE]) if before.seen < SAMPLE else before.head,
            tail=digest(data[-SAMPLE:]),
            skipping=skipping,
            modified=modified,
        )
        if skipping and not before.skipping:
            counter.skip()
        elif first < last:
            counter.feed(_without_nuls(data[first:last]))
        return len(data) - lead

    def _check(self, data: bytes, start: int) -> None:
        before = self.position
        tail = memoryview(data)[before.tail_start - start : before.seen - start]
        if digest(tail) != before.tail:
            raise ContentChangedError(f"{self.file.path} was truncated")

    def _cut(self, data: bytes, lead: int) -> tuple[int, int, bool]:
        """Where the whole lines begin and end, and whether a line too long goes on after that."""
        if self.position.skipping:
            newline = data.find(b"\n", lead)
            if newline < 0:
                return len(data), len(data), True
            lead = newline + 1
        lead = _after_nuls(data, lead)
        last = data.rfind(b"\n", lead) + 1 or lead
        if last == lead and len(data) - lead >= LONGEST_LINE:
            return len(data), len(data), True
        return lead, last, False


def _after_nuls(data: bytes, start: int) -> int:
    """Where a line begins that has NUL bytes before it, which nobody wrote.

    After copytruncate a process that does not append leaves a hole before its next line, and a
    crash of the system may leave one, too.
    """
    nuls = _NULS.match(data, start)
    return nuls.end() if nuls else start


def _without_nuls(lines: bytes) -> bytes:
    return _NULS_BEFORE_LINE.sub(b"\n", lines) if b"\n\0" in lines else lines
