"""The blobs of a new backup: those that no backup has yet are brought into the pool.

What belongs to a backup is every blob of a transaction up to its last, so that a commit meanwhile
does not matter. New files are whole, in a directory of their own, before any comes to its place.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.system.foreign_file import CHUNK, chunks

from .beneath import Beneath
from .blob_check import BlobCheck
from .blob_lists import Blob
from .disk import Disk
from .known_blobs import KnownBlobs
from .manifest import Manifest
from .pieces import sum_of
from .pool import SHARDS, place_of, put_in_pool
from .repository import Backup, Repository

STAGE = "backing up blobs"
BLOB = re.compile(r"(?:(?:0x[0-9a-f]{2}/){8}|0x[0-9a-f]{2,16}/)0x([0-9a-f]{16})\.blob")
READABLE, OWNER = 0o444, 0o400


class NewBlobs:
    """The blobs of a database, and what the repository lacks of them. Use it as a context.

    `base` are those of the backup `since`, from which the list goes on; all is new if it is empty.
    """

    def __init__(
        self,
        listed: Repository,
        blob_dir: Path,
        disk: Disk,
        report: Report,
        hard_links: bool = False,
    ) -> None:
        """With `hard_links` the files of the database get a second name, where that can be.

        Raises ActionError and OSError.
        """
        if not blob_dir.is_dir():
            reason = f"{blob_dir} is not there"
            raise ActionError(STAGE, reason, "is its file system mounted, and blob-dir right?")
        self.brought: dict[str, Blob] = {}  # by the name in the pool
        self.base: Mapping[str, Blob] = {}
        self.since = ""
        self._disk = disk
        self._report = report
        self._hard_links = hard_links
        self._source = Beneath(blob_dir)
        self._check = BlobCheck(listed.path, report)
        self._known = KnownBlobs(listed, self._check, report)
        self._kept: dict[str, Blob] = {}
        self._linked: dict[str, Blob] = {}  # of a snapshot that an earlier version made
        self._fresh: dict[str, int] = {}  # sizes

    def __enter__(self) -> "NewBlobs":
        return self

    def __exit__(self, *_: object) -> None:
        self._check.close()
        self._source.close()

    def look(self, parent: Manifest) -> None:
        """Find out which are new to a list that goes on from that of the parent."""
        self._report.stage(STAGE)
        try:
            self.base = self._check.lists.of_manifest(self._check.repository, parent) or {}
            self.since = parent.stamp if parent.blobs else ""
        except ActionError as error:
            self._report.say(f"{error.reason}: all blobs are listed again")
        for path in committed(self._source.path):
            self._report.check()
            blob = self._known.whole(path)
            if blob and (blob == self.base.get(path) or blob.place == place_of(path)):
                self._kept[path] = blob if blob.path == path else blob._replace(path=path)
            elif blob and (self._hard_links or not self._is_live(blob, path)):
                self._linked[path] = blob
            else:
                self._fresh[path] = self._size(path)

    @property
    def room(self) -> int:
        """How many bytes are to be written, as far as is known beforehand."""
        if self._fresh and self._one_system and (self._hard_links or self._shares_blocks()):
            return 0
        return sum(self._fresh.values())

    @property
    def inodes(self) -> int:
        """How many files and directories the pool may get."""
        if self._hard_links and self._one_system:
            return SHARDS
        return SHARDS + len(self._fresh) if self._fresh else 0

    @property
    def links_would_do(self) -> bool:
        """Whether hard links, which are not wanted, would make room for them unnecessary."""
        return self._one_system and not self._hard_links

    @property
    def _one_system(self) -> bool:
        devices = {path.stat().st_dev for path in (self._source.path, self._check.repository)}
        return len(devices) == 1

    def _shares_blocks(self) -> bool:
        """Try whether the file system lets copies take no room."""
        with (
            self._disk.temporary(self._check.repository) as trial,
            suppress(FileNotFoundError),
            self._source.opened(next(iter(self._fresh))) as source,
        ):
            copy = self._disk.create(trial)
            try:
                return self._disk.clone(source, copy)
            finally:
                os.close(copy)
        return False  # the one that was tried was removed by a pack

    def bring(self, directory: Path, tid: int) -> dict[str, Blob]:
        """Put the new ones up to a transaction into a directory; they are on the disk then.

        Returns all blobs up to the transaction, by path. Raises ActionError and OSError.
        """
        blobs = {path: blob for path, blob in self._kept.items() if tid_of(path) <= tid}
        paths = [path for path in (*self._linked, *self._fresh) if tid_of(path) <= tid]
        if not paths:
            return blobs
        self._report.stage(STAGE, len(paths))
        self._disk.make_directory(directory)
        with Beneath(directory.parent, directory.name) as target:
            for path in paths:
                self._report.check()
                try:
                    blobs[path] = self._take(path, target)
                except FileNotFoundError:
                    # Removed by a pack: an earlier one has no use for it, and a new one replaces
                    # the Data.fs first, which is looked at once all blobs are there.
                    self._report.say(f"{path} was removed from {self._source.path} meanwhile")
                self._report.advance(1)
        self._disk.sync_system(directory)
        return blobs

    def mend(self, backup: Backup) -> None:
        """Bring the blobs back that a backup has lost, where the database still has the same."""
        if backup.manifest is None:
            return
        self.look(backup.manifest)
        with self._disk.temporary(self._check.repository) as directory:
            self.bring(directory, backup.manifest.tid)
            lost = {path: blob for path, blob in self.base.items() if blob.name in self.brought}
            # Under whichever path: the layout of the database may be another by now.
            same = [b.name for p, b in lost.items() if self.brought[b.name]._replace(path=p) == b]
            put_in_pool(self._disk, directory, same)
        for path, blob in lost.items():
            if blob.name not in same:
                self._report.say(f"{path} is not in the database as it was when it was backed up")

    def _take(self, path: str, target: Beneath) -> Blob:
        """Take a file from an older snapshot, or from the database."""
        place, old = place_of(path), self._linked.get(path)
        name = place.rpartition("/")[2]
        if name in self.brought:  # the directory has it in both layouts
            return self.brought[name]._replace(path=path)
        if old and self._link(self._check.files, old.place, target, name):
            blob = old._replace(path=path, place=place)
        elif self._hard_links and self._link(self._source, path, target, name):
            with target.opened(name) as linked:
                size = os.fstat(linked).st_size
                blob = Blob(sum_of(linked, target.full(name)), size, path, place)
        else:
            blob = Blob(*self._copy(path, target, name), path, place)
        self.brought[name] = blob
        return blob

    def _link(self, source: Beneath, path: str, target: Beneath, name: str) -> bool:
        """Give a file a second name; False if it cannot have one."""
        places, old = (source.full(path), target.full(name)), source.directory_of(path)
        try:
            self._disk.link(*places, old, target.descriptor)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, too many links, or a kernel that protects them
            return False
        return True

    def _copy(self, path: str, target: Beneath, name: str) -> tuple[str, int]:
        """Copy a file, for nobody to write to; return its SHA-256 and size."""
        found, size = sha256(), 0
        with self._source.opened(path) as source:
            copy = self._disk.create(target.full(name), target.descriptor)
            try:
                cloned = self._disk.clone(source, copy)
                for data in chunks(copy if cloned else source, self._source.full(path)):
                    self._report.check()
                    found.update(data)
                    size += len(data)
                    if not cloned:
                        self._disk.write(copy, data)
                    if len(data) == CHUNK:
                        self._disk.let_go(copy)  # nobody reads it soon
                self._disk.set_mode(copy, os.fstat(source).st_mode & READABLE | OWNER)
            finally:
                os.close(copy)
        return found.hexdigest(), size

    def _is_live(self, blob: Blob, path: str) -> bool:
        """Tell whether the file in a snapshot is that of the database itself."""
        try:
            here, there = self._check.files.status(blob.place), self._source.status(path)
        except FileNotFoundError:
            return True
        return os.path.samestat(here, there)

    def _size(self, path: str) -> int:
        try:
            return self._source.status(path).st_size
        except FileNotFoundError:  # removed by a pack meanwhile
            return 0


def tid_of(path: str) -> int:
    """Return the transaction of the blob of a path."""
    return int(path[-len("0123456789abcdef.blob") : -len(".blob")], 16)


def committed(blob_dir: Path) -> Iterator[str]:
    """Yield the paths of all blobs in a directory; what else is there is temporary."""
    left = [""]
    while left:
        below = left.pop()
        try:
            with os.scandir(blob_dir / below) as entries:
                for entry in entries:
                    path = below + entry.name
                    if entry.name.startswith("0x") and entry.is_dir(follow_symlinks=False):
                        left.append(f"{path}/")
                    elif BLOB.fullmatch(path):
                        yield path
        except FileNotFoundError:  # of an upload that ended
            continue
