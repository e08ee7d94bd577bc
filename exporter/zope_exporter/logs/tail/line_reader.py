"""Reading one file of a log line by line, from where it was left."""

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import cast

from .file import ContentChangedError, Identity, LogFile
from .lines import JSON, LineCounter

SAMPLE = 512
LONGEST_LINE = 1 << 20
_NULS = re.compile(rb"\0*")
_NULS_BEFORE_LINE = re.compile(rb"\n\0+")


@dataclass(frozen=True)
class Position:
    """How far one file has been read.

    All lines before `offset` are counted. `seen` is the end of what was looked at, perhaps within
    a line: `head` and `tail` are digests of the first and last bytes before it, up to 512 each. A
    log only grows at its end, so a file that has both is the one we read, whatever its name and
    inode, also when it was copied or compressed. `skipping` is set within a line that is too long.
    `modified` is when the file had last been written to at that time (nanoseconds since the epoch):
    what was written after it is not older. 0 where an earlier version has not kept it.
    """

    path: str
    device: int
    inode: int
    offset: int = 0
    seen: int = 0
    head: str = ""
    tail: str = ""
    skipping: bool = False
    modified: int = 0

    @property
    def identity(self) -> Identity:
        return self.device, self.inode

    @property
    def tail_start(self) -> int:
        return max(0, self.seen - SAMPLE)

    def holds(self, file: LogFile) -> bool:
        """Tell whether a file still has, or again has, what was read. Raises OSError."""
        if not self.seen:
            # Nobody compresses a file in place: the inode is used again.
            return file.growing and file.identity == self.identity
        length = min(SAMPLE, self.seen)
        # The tail of a compressed file costs all that is before it.
        return _digest_at(file, 0, length) == self.head and (
            _digest_at(file, self.seen - length, length) == self.tail
        )

    def as_json(self) -> dict[str, JSON]:
        return dict(vars(self))  # `asdict` copies each value, some thousand times a scrape


def beginning(file: LogFile) -> Position:
    """Return the position in a file of which nothing is counted yet. Raises OSError."""
    modified = file.modified()
    head = file.read(SAMPLE, 0)
    seen = digest(head)
    return Position(
        file.path, *file.identity, seen=len(head), head=seen, tail=seen, modified=modified
    )


def end(file: LogFile, longest: int) -> Position:
    """Return the position after the last whole line, if lines have at most `longest` bytes.

    Raises OSError, ContentChangedError.
    """
    size, modified = file.unread(0), file.modified()
    start = max(0, size - longest)
    last = file.read(size - start, start)
    newline = last.rfind(b"\n")
    whole = newline >= 0 or not start
    seen = start + newline + 1 if whole else size
    length = min(SAMPLE, seen)
    head, tail = _digest_at(file, 0, length), _digest_at(file, seen - length, length)
    if seen and not (head and tail):
        raise ContentChangedError(f"{file.path} was truncated while it was read")
    return Position(
        file.path,
        *file.identity,
        offset=seen,
        seen=seen,
        head=head,
        tail=tail,
        skipping=not whole,
        modified=modified,
    )


def from_json(state: JSON) -> Position:
    """Return what `as_json` was made of. Raises ValueError for anything else."""
    fields = Position("", 0, 0).as_json()
    if isinstance(state, dict):
        state = {"modified": 0, **state}  # earlier versions did not keep it
    if not isinstance(state, dict) or state.keys() != fields.keys():
        raise ValueError(f"{state} is no position in a log")
    if any(type(state[name]) is not type(value) for name, value in fields.items()):
        raise ValueError(f"{state} is no position in a log")
    return Position(**cast("dict[str, str]", state))  # type: ignore[arg-type]


def digest(sample: bytes | memoryview) -> str:
    return blake2b(sample, digest_size=12).hexdigest() if len(sample) else ""


def _digest_at(file: LogFile, offset: int, length: int) -> str:
    """Return the digest of so many bytes, "" if there are not as many."""
    sample = file.read(length, offset)
    return digest(sample) if len(sample) == length else ""


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

    def begin(self) -> None:
        """Know a file that was empty until now by what it has. Raises OSError."""
        if not self.position.seen:
            self.position = beginning(self.file)

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
