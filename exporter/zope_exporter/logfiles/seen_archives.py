"""Which rotated files of a log were seen already, so that none of them is counted again."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from .file import Identity
from .lines import JSON
from .position import SAMPLE, digest

LIMIT = 64


class _Seen(NamedTuple):
    """The first bytes of a file, as many as it had when it was seen, and which file that was."""

    length: int
    digest: str
    device: int
    inode: int

    def fits(self, head: bytes) -> bool:
        return self.length <= len(head) and digest(head[: self.length]) == self.digest


class SeenArchives:
    """The last 64 rotated files that were there before a log was followed, or were read of it.

    A file is known by its first bytes, whatever its name and time: it may be compressed, copied or
    restored from a backup.
    """

    def __init__(self, state: JSON = ()) -> None:
        """Begin with what `save` returned. Raises ValueError for anything else."""
        if not isinstance(state, list | tuple):
            raise ValueError(f"{state} are no files of a log")
        self._known = tuple(str(each) for each in state)
        list(self._all())

    @property
    def complete(self) -> bool:
        """Whether none had to be forgotten for lack of room."""
        return len(self._known) < LIMIT

    def save(self) -> tuple[str, ...]:
        return self._known

    def add(self, head: bytes, identity: Identity) -> None:
        """Remember a file, in place of what was known of it when it was shorter."""
        head = head[:SAMPLE]
        if not head:
            return
        others = (
            text
            for text, seen in self._all()
            if (seen.device, seen.inode) != identity or not seen.fits(head)
        )
        device, inode = identity
        new = f"{len(head)}:{digest(head)}:{device:x}:{inode:x}"
        self._known = (*others, new)[-LIMIT:]

    def known_as(self, head: bytes, identity: Identity, inodes: Collection[int]) -> Identity | None:
        """Return which of those a file is, perhaps compressed or copied; None if it is new.

        `inodes` are the files there are: one that is still there itself is not also another one.
        """
        for _, seen in self._all():
            was = seen.device, seen.inode
            if (was == identity or seen.inode not in inodes) and seen.fits(head):
                return was
        return None

    def _all(self) -> Iterator[tuple[str, _Seen]]:
        for text in self._known:
            length, digested, device, inode = text.split(":")
            yield text, _Seen(int(length), digested, int(device, 16), int(inode, 16))
