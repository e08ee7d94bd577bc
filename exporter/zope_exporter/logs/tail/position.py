"""How far a file has been read, and by what it is known again under another name."""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import cast

from .errors import ContentChangedError
from .file import Identity, LogFile
from .lines import JSON

SAMPLE = 512


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
            return file.identity == self.identity
        length = min(SAMPLE, self.seen)
        # The tail of a compressed file costs all that is before it.
        return _digest_at(file, 0, length) == self.head and (
            _digest_at(file, self.seen - length, length) == self.tail
        )

    def as_json(self) -> dict[str, JSON]:
        return asdict(self)


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
        raise ContentChangedError(f"{file.path} was truncated while it was looked at")
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
    fields = asdict(Position("", 0, 0))
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
