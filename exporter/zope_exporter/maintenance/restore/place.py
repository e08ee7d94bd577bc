"""Where a restore writes to: what has to be as it should there, and what is there in the end."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.system.humanize import few

from .blob_directory import KEPT
from .files import UNFINISHED, is_there
from .rescue import explain

HEADROOM = 16 << 20
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Place:
    """Where to restore to; `stamp` tells the files of before from those of other restores."""

    data_fs: Path
    blob_dir: Path | None
    stamp: str
    headroom: int = HEADROOM

    def beside(self, suffix: str) -> Path:
        return self.data_fs.with_name(self.data_fs.name + suffix)

    @property
    def kept(self) -> Path:
        return self.beside(f"{KEPT}{self.stamp}")

    @property
    def kept_blobs(self) -> tuple[Path, ...]:
        """Where the blobs of before may be kept: beside them, or else among them."""
        if self.blob_dir is None:
            return ()
        real = self.blob_dir.resolve()
        name = f"{KEPT}{self.stamp}"
        return real.with_name(real.name + name), self.blob_dir / name

    @property
    def written(self) -> Path:
        return self.beside(f"{UNFINISHED}-{self.stamp}")

    def clean(self) -> None:
        """Remove what runs that were cut off had begun; nobody else runs while we have the lock."""
        begin = f"{self.data_fs.name}{UNFINISHED}-"
        for left in list(self.data_fs.parent.iterdir()):
            if left.name.startswith(begin):
                left.unlink()


def stamp_of(moment: float) -> str:
    """Return what tells the files of before a restore from those of others, by when it begins."""
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H-%M-%S.%f}"


def check_place(place: Place, report: Report) -> None:
    """Raise RefusedError unless the Data.fs can be put there."""
    data_fs = place.data_fs
    if not data_fs.parent.is_dir():
        raise RefusedError("missing", f"{data_fs.parent} is no directory", "make it first")
    if data_fs.is_symlink():
        real = data_fs.resolve()
        raise RefusedError("place", f"{data_fs} is a link", f"name the file itself: {real}")
    if data_fs.exists() and not data_fs.is_file():
        raise RefusedError("place", f"{data_fs} is not a regular file", "name the file itself")
    if _is_mount_point(data_fs):
        reason = f"{data_fs} is mounted there by itself, and cannot be replaced"
        raise RefusedError("place", reason, "restore to where it is mounted from")
    if not data_fs.exists() and place.beside(".old").exists() and place.beside(".pack").exists():
        found = explain(data_fs, report)
        if found and found.best:
            remedy = "zope-exporter recover --rescue-pack does it; or move both files away"
            raise RefusedError("rescue", found.text, remedy)


def _is_mount_point(path: Path) -> bool:
    """Tell whether a file is mounted at its name; unlike a directory, its device does not tell."""
    real = os.path.realpath(path)
    with suppress(OSError), MOUNTS.open() as lines:
        return any(_unescaped(line.split()[4]) == real for line in lines)
    return False


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


class Outcome:
    """Tells which Data.fs is there at whatever point a restore ends, by which file it is.

    What is kept beside it tells nothing: at a new place nothing is kept.
    """

    def __init__(self, place: Place) -> None:
        self.data_fs = place.data_fs
        self._place = place
        self._seen = False
        self._before: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None
        unfinished = [path.with_name(path.name + UNFINISHED) for path in place.kept_blobs]
        self.left: list[Path] = [place.kept, *place.kept_blobs, place.written, *unfinished]

    def look(self) -> None:
        """See which one is there, before anything is touched."""
        self._before = _identity(self.data_fs)
        self._seen = True

    def note_written(self) -> None:
        self._written = _identity(self._place.written)

    def is_exchanged(self) -> bool:
        return self._written is not None and _identity(self.data_fs) == self._written

    def tell(self) -> str:
        """Say what is on the disk."""
        data_fs = self.data_fs
        try:
            kept = few(path for path in dict.fromkeys(self.left) if is_there(path))
            if self.is_exchanged():
                before = f"that of before is kept: {kept}" if kept else "nothing was there before"
                return f"{data_fs} is the restored one; {before}"
            now = _identity(data_fs)
        except OSError as error:
            return f"which {data_fs} is there cannot be seen: {error.strerror}"
        left = f"; of this attempt there is still {kept}, which can be deleted" if kept else ""
        if now is None:
            return f"{data_fs} is not there{left}"
        untouched = now == self._before or not self._seen
        which = "the one of before, untouched" if untouched else "neither the old nor the new one"
        return f"{data_fs} is {which}{left}"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
