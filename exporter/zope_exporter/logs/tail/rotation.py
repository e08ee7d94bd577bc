"""Finding a log again after it was rotated, and the files written after it.

Which those are is decided by what is in the files and when they were written, never by what the
numbers in their names might mean. A file is counted only if it is surely newer than the one that
was read: rather less is counted, and that said, than anything twice.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from .archives import LIMIT, Archive, SeenArchives, archives
from .file import (
    CompressionUnknownError,
    Identity,
    LogFile,
    NotALogError,
    first_bytes,
    first_timestamp,
    open_log,
)
from .line_reader import SAMPLE, Position, digest

_TRIES = 5
_HEAD = 4096
# Requests are logged when they end, with the time they began at; and where no zone is named, an
# hour comes twice when summer ends.
_CLOCKS_DIFFER = 3900


@dataclass
class Found:
    """What was found of a log that was rotated.

    `file` was read up to a position, None if it is not there, and was found under the name of
    `archive`; it is `renamed` if it is the same file under a name that rotations give. `newer` are
    the files between it and the current one, in the order they were written. `older` are others by
    their first bytes, with what they are and were: those not seen before, or not as this file;
    `unordered` tells whether some of these may have been newer, `missed` whether there was more
    that nobody can read any more.
    """

    file: LogFile | None = None
    archive: Archive | None = None
    renamed: bool = False
    newer: list[LogFile] = field(default_factory=list)
    older: list[tuple[bytes, Identity, Identity]] = field(default_factory=list)
    unordered: bool = False
    missed: bool = False

    def close(self) -> None:
        for file in [*self.newer, *([self.file] if self.file else [])]:
            file.close()


def find(
    position: Position,
    paths: Collection[str],
    taken: Collection[Identity],
    seen: SeenArchives | None,
    held: LogFile | None = None,
) -> Found:
    """Find the file that was read up to a position, and those between it and the current one.

    `paths` are the names of the log: also what a symbolic link leads, or led, to. `taken` are files
    that are never among what is found: the log itself, and what is being read already. `seen` are
    its files that are older than the position, None if that was never looked at. `held` is the
    file itself if it is still open: it may have no name any more. Raises OSError.
    """
    for tries_left in reversed(range(_TRIES)):
        there = archives(paths)
        found = _find(position, there, taken)
        first = found.file or held
        _Succession(position, found.archive, first, there, seen).add_to(found, taken)
        if not tries_left or there == archives(paths):
            break
        # Names have changed hands meanwhile, so that a file may have been missed.
        found.close()
    return found


def find_again(
    position: Position, paths: Collection[str], taken: Collection[Identity]
) -> LogFile | None:
    """Find the file alone that was read up to a position. Raises OSError."""
    for _ in range(_TRIES):
        there = archives(paths)
        found = _find(position, there, taken)
        if found.file is not None or there == archives(paths):
            break
    return found.file


def history(paths: Collection[str]) -> Iterator[tuple[bytes, Identity]]:
    """Yield the first bytes of the rotated files last written to, the oldest first.

    Raises OSError.
    """
    there = [each for each in archives(paths) if each.path not in paths]
    for archive in sorted(there, key=_by_time)[-LIMIT:]:
        with suppress(OSError, CompressionUnknownError):
            file = _opened(archive)
            if file is not None:
                try:
                    yield first_bytes(file, SAMPLE), file.identity
                finally:
                    file.close()


def _by_time(archive: Archive) -> tuple[int, str]:
    return archive.modified, archive.path


def _find(position: Position, there: list[Archive], taken: Collection[Identity]) -> Found:
    # Of several with this content, it is the file itself rather than a copy, and the last copy.
    candidates = sorted(there, key=_by_time, reverse=True)
    candidates.sort(key=lambda each: each.identity != position.identity)
    for archive in candidates:
        with suppress(PermissionError, CompressionUnknownError):
            file = _opened(archive)
            if file is not None and file.identity not in taken and _holds(position, file):
                renamed = bool(archive.family) and file.identity == position.identity
                return Found(file, archive, renamed)
            if file is not None:
                file.close()
    return Found()


class _Succession:
    """Decides which files were written after the `first` one, which was read up to a position.

    Without an `archive` it was removed, or compressed in a way that is not read here; without the
    `first` file, too, nothing is left of it.
    """

    def __init__(
        self,
        position: Position,
        archive: Archive | None,
        first: LogFile | None,
        there: Sequence[Archive],
        seen: SeenArchives | None,
    ) -> None:
        family = [
            each
            for each in there
            if each.family and each != archive and each.family == (archive or each).family
        ]
        self._others = sorted(family, key=_by_time)
        self._position = position
        self._has_name, self._held = archive is not None, first is not None
        self._renamed = first is not None and first.identity == position.identity
        self._head = first_bytes(first, _HEAD) if first else b""
        self._begun = first_timestamp(self._head)
        self._since = position.modified or (first.modified() if first and self._renamed else None)
        self._seen = seen or SeenArchives()
        self._all_seen = seen is not None and seen.complete
        self._times_lie = False
        self._not_read = 0

    def add_to(self, found: Found, taken: Collection[Identity]) -> None:
        """Sort the others into those that are newer, and what is new to us of the older."""
        opened = list(self._opened(found))
        there = {
            file.identity for _, file, head in opened if self._seen.has_itself(head, file.identity)
        }
        there.update(archive.identity for archive in self._others if self._is_settled(archive))
        new = []
        for archive, file, head in opened:
            known = self._seen.known_as(head, file.identity, there)
            if known is None and file.identity not in taken:
                new.append((archive, file, head))
                continue
            file.close()
            if known is not None and known != file.identity:
                found.older.append((head, file.identity, known))
                # It is older for sure, and no process writes to a copy.
                self._times_lie |= self._is_late(archive)
        mixed = not self._has_name and len({archive.family for archive, *_ in new}) > 1
        for archive, file, head in new:
            newer = self._is_newer(head, archive)
            if newer and not self._has_name:
                doubtful = mixed or self._times_lie or archive.may_be_another_log
                newer = None if doubtful else True
            found.unordered |= newer is None
            if newer:
                found.newer.append(file)
            else:
                found.older.append((head, file.identity, file.identity))
                file.close()
        found.missed = self._is_missed(found, any(not head for _, _, head in new))

    def _is_missed(self, found: Found, empty: bool) -> bool:
        """Whether there were more files than can be read: what removes one may remove others."""
        if self._has_name or self._not_read:
            return self._not_read > (not self._has_name)
        was_empty = empty and not self._position.seen  # and is so still, compressed
        return self._held and bool(found.newer) and not was_empty

    def _opened(self, found: Found) -> Iterator[tuple[Archive, LogFile, bytes]]:
        """Open the others that are not known to be older by their time, and read their heads."""
        for archive in self._others:
            if self._is_settled(archive):
                continue
            try:
                file = _opened(archive)
                if file is not None:
                    yield archive, file, _head_or_close(file)
            except CompressionUnknownError:
                self._not_read += self._is_late(archive)
            except OSError:
                found.unordered |= self._is_late(archive)

    def _is_settled(self, archive: Archive) -> bool:
        """Whether a file is older by its time, and there is no reason to look into it."""
        if self._is_late(archive):
            return False
        return not self._all_seen or self._seen.has_inode(archive.identity)

    def _is_newer(self, head: bytes, archive: Archive) -> bool | None:
        """None if nobody can know."""
        if not head or (self._has_name and self._is_copy(head)):
            return False
        if not self._has_name and (not self._all_seen or self._begins_alike(head)):
            return None if self._is_late(archive) else False
        begun = first_timestamp(head)
        between = None if begun is None or self._begun is None else begun - self._begun
        if between is not None and abs(between) > _CLOCKS_DIFFER:
            return between > 0
        if self._since is None or not self._is_late(archive):
            return None
        if self._all_seen or between is not None:
            return True
        return None if self._times_lie or archive.is_of_second(self._since) else True

    def _is_late(self, archive: Archive) -> bool:
        """Whether a file was written to after the first one; true also if that is not known."""
        return self._since is None or archive.is_since(self._since)

    def _begins_alike(self, head: bytes) -> bool:
        """Whether it begins with what was read, and then does not go on with it."""
        length = min(SAMPLE, self._position.seen)
        return bool(length) and digest(head[:length]) == self._position.head

    def _is_copy(self, head: bytes) -> bool:
        """Whether it is a second copy of the first file, made before that was truncated."""
        ours, theirs = self._head[:SAMPLE], head[:SAMPLE]
        return not self._renamed and (ours.startswith(theirs) or theirs.startswith(ours))


def _head_or_close(file: LogFile) -> bytes:
    try:
        return first_bytes(file, _HEAD)
    except OSError:
        file.close()
        raise


def _opened(archive: Archive) -> LogFile | None:
    """Open a file that may be gone by now or be no log.

    Raises PermissionError, CompressionUnknownError.
    """
    try:
        return open_log(archive.path)
    except (FileNotFoundError, NotALogError):
        return None


def _holds(position: Position, file: LogFile) -> bool:
    try:
        return position.holds(file)
    except OSError:
        return False
