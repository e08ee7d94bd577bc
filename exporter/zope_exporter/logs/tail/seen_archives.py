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

    def add(self, head: bytes, identity: Identity, was: Identity | None = None) -> None:
        """Remember a file in place of what it `was`: another file, or shorter."""
        head = head[:SAMPLE]
        if not head:
            return
        others = (
            text
            for text, seen in self._all()
            if (seen.device, seen.inode) not in (identity, was) or not seen.fits(head)
        )
        device, inode = identity
        new = f"{len(head)}:{digest(head)}:{device:x}:{inode:x}"
        self._known = (*others, new)[-LIMIT:]

    def has_inode(self, identity: Identity) -> bool:
        return any((seen.device, seen.inode) == identity for _, seen in self._all())

    def has_itself(self, head: bytes, identity: Identity) -> bool:
        """Tell whether one of those is this very file, perhaps under another name."""
        return self.known_as(head, identity, ()) == identity

    def known_as(
        self, head: bytes, identity: Identity, others: Collection[Identity]
    ) -> Identity | None:
        """Return which of those a file is, perhaps compressed or copied; None if it is new.

        `others` are there themselves, so that this one is none of them, whatever it begins with.
        """
        fitting = [(seen.device, seen.inode) for _, seen in self._all() if seen.fits(head)]
        if identity in fitting:
            return identity
        return next((each for each in fitting if each not in others), None)

    def _all(self) -> Iterator[tuple[str, _Seen]]:
        for text in self._known:
            length, digested, device, inode = text.split(":")
            yield text, _Seen(int(length), digested, int(device, 16), int(inode, 16))
