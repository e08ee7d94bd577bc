"""What a restore is going to do to a blob directory, decided before anything is written.

The blobs of before are kept as a second tree of hard links. It can only be on their own file
system: beside the blob directory, or, where that is a mount point, in it. ZODB looks into
directories with the number of an object for a name, and leaves that one alone.
"""

import errno
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.maintenance.jobs.report import RefusedError

from .blob_layout import BUSHY, MARKER, marked, placed, told_by
from .blob_tree import files
from .files import UNFINISHED, has_links, is_there
from .room import Need

NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class BlobPlan:
    """Which blobs come from `source` to `blob_dir`, `sizes` and `targets` being by path in it.

    Those of before are kept at `kept`, None if there are none, by `links` or else as copies.
    """

    source: Path
    sizes: Mapping[str, int]
    blob_dir: Path
    targets: Mapping[str, str]
    layout: str
    kept: Path | None
    links: bool

    def needs(self) -> Iterator[Need]:
        """Tell what is to be written where."""
        copied = [
            self.sizes[path]
            for path, target in self.targets.items()
            if not _has_size(self.blob_dir / target, self.sizes[path])
        ]
        directories = [each for each in _parents(self.targets.values()) if not self._has(each)]
        yield Need(self.blob_dir, copied, len(directories))
        if self.kept:
            before = list(files(self.blob_dir))
            sizes = [] if self.links else [path.stat().st_size for path in before]
            inside = _parents(str(path.relative_to(self.blob_dir)) for path in before)
            yield Need(self.kept.parent, sizes, len(inside))

    def _has(self, directory: str) -> bool:
        return (self.blob_dir / directory).is_dir()


def plan_blobs(
    source: Path, sizes: Mapping[str, int], blob_dir: Path, places: Sequence[Path]
) -> BlobPlan:
    """Look at both directories; `places` are where the blobs of before could be kept, in order.

    Raises RefusedError and OSError.
    """
    if blob_dir.is_symlink() and not is_there(blob_dir):
        reason = f"{blob_dir} is a link to {blob_dir.readlink()}, which is not there"
        raise RefusedError("blobs", reason, "is its file system mounted?")
    if is_there(blob_dir) and not blob_dir.is_dir():
        raise RefusedError("blobs", f"{blob_dir} is no directory", "name the blob directory")
    paths = [path for path in sizes if path != MARKER]
    layout = _layout(source, paths, blob_dir)
    targets = {path: placed(path, layout) for path in paths}
    sample = _sample(blob_dir)
    kept, links = _where_to_keep(places, sample) if sample else (None, True)
    return BlobPlan(source, sizes, blob_dir, targets, layout, kept, links)


def _layout(source: Path, paths: Iterable[str], blob_dir: Path) -> str:
    """Return how the blob directory is laid out; an empty one becomes as the source is."""
    there, of_source = marked(blob_dir), marked(source)
    if there is None and is_there(blob_dir):
        there = told_by(str(path.relative_to(blob_dir)) for path in files(blob_dir))
    return there or told_by(paths) or of_source or BUSHY


def _sample(blob_dir: Path) -> Path | None:
    if not is_there(blob_dir):
        return None
    return next((path for path in files(blob_dir) if path.name != MARKER), None)


def _where_to_keep(places: Sequence[Path], sample: Path) -> tuple[Path, bool]:
    """Return the first place that takes hard links, else the last, which has the same owner."""
    for place in places:
        links = _has_links(sample, place)
        if links:
            return place, True
    if links is None:
        reason = f"nothing may be written to {place.parent}"
        raise RefusedError("rights", reason, "run this as the owner of that directory")
    return place, False


def _has_links(sample: Path, kept: Path) -> bool | None:
    """Try whether a file can be kept there by a link; None if nothing can be written there."""
    trial = kept.with_name(kept.name + UNFINISHED)
    try:
        trial.mkdir()
    except OSError as error:
        if error.errno in NO_RIGHT:
            return None
        raise
    try:
        found = has_links(sample, trial / sample.name)
    except OSError:
        shutil.rmtree(trial, ignore_errors=True)
        raise
    trial.rmdir()
    return found


def _has_size(path: Path, size: int) -> bool:
    return is_there(path) and path.stat().st_size == size


def _parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found
