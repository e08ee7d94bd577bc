"""Blob files put in place beside those that are there: a blob never changes.

So both the old and the new Data.fs find all of theirs, at whatever point this is cut off.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import NoReturn

from zope_exporter.durable import named, sync_directory, sync_file, sync_system
from zope_exporter.jobs.report import ActionError, Report
from zope_exporter.repository.small import open_regular

from .blob_records import layout_of
from .files import chunks, is_there

STAGE = "blobs"
MARKER = ".layout"
UNFINISHED = ".restoring"


def keep(blob_dir: Path, kept: Path, report: Report) -> None:
    """Make `kept` a second tree of all blobs, by hard links, whole or not there at all."""
    report.stage("keeping the blobs of before")
    unfinished = kept.with_name(kept.name + UNFINISHED)
    unfinished.mkdir()
    for path in files(blob_dir):
        link = unfinished / path.relative_to(blob_dir)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(path)
    sync_system(unfinished)
    unfinished.rename(kept)
    sync_directory(kept.parent)


def add(source: Path, blob_dir: Path, owner: os.stat_result, report: Report) -> None:
    """Bring all blobs of `source` into `blob_dir`, each by one rename of a whole file."""
    report.stage("copying blobs")
    if blob_dir.is_dir() and any(files(blob_dir)) and layout_of(source) != layout_of(blob_dir):
        reason = f"{blob_dir} is laid out {layout_of(blob_dir)}, and the blobs {layout_of(source)}"
        raise ActionError(STAGE, reason, "give an empty blob directory")
    _make_directory(blob_dir, owner)
    touched = {blob_dir}
    for path in files(source):
        report.check()
        target = blob_dir / path.relative_to(source)
        if not _is_same(path, target):
            touched |= set(_make_directory(target.parent, owner))
            touched.add(target.parent)
            _copy(path, target, owner)
    for directory in touched:
        sync_directory(directory)


def remove_others(source: Path, blob_dir: Path, report: Report) -> None:
    """Remove the blobs that are not of `source`: they are in the tree of before."""
    report.stage("removing blobs of before")
    for path in files(blob_dir):
        if not is_there(source / path.relative_to(blob_dir)):
            path.unlink()
            with suppress(OSError):  # not empty
                path.parent.rmdir()


def remove_unfinished(kept_like: Path) -> None:
    """Remove the trees that runs which were cut off did not finish."""
    for left in kept_like.parent.glob(f"{kept_like.name}.before-restore-*{UNFINISHED}"):
        shutil.rmtree(left)


def files(root: Path) -> Iterator[Path]:
    """Give all blobs and the mark of the layout; what uploads left half-done is no blob.

    Nor is a link, which could lead to a file that only we may read, nor what is in a directory that
    is not of blobs: another site, or a repository.
    """
    for directory, inside, names in os.walk(root, onerror=_raise):
        inside[:] = [name for name in inside if name.startswith("0x")]
        for name in names:
            path = Path(directory, name)
            is_ours = name.endswith(".blob") or (name == MARKER and Path(directory) == root)
            if is_ours and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _raise(error: OSError) -> NoReturn:
    """A directory that cannot be read is not an empty one: its blobs would not be kept."""
    raise error


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) or _has_same_data(one, other)
    except FileNotFoundError:
        return False


def _has_same_data(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with named(one), one.open("rb") as first, named(other), other.open("rb") as second:
        both = zip_longest(chunks(first, one), chunks(second, other))
        return all(ours == theirs for ours, theirs in both)


def _make_directory(path: Path, owner: os.stat_result) -> Iterator[Path]:
    made = [each for each in (path, *path.parents) if not each.exists()]
    for directory in reversed(made):
        directory.mkdir(mode=0o700)
        _give(directory, owner)
    return iter([each.parent for each in made])


def _copy(path: Path, target: Path, owner: os.stat_result) -> None:
    unfinished = target.with_name(target.name + UNFINISHED)
    unfinished.unlink(missing_ok=True)
    with (
        named(path),
        os.fdopen(open_regular(path), "rb") as source,
        named(unfinished),
        unfinished.open("xb") as copy,
    ):
        for chunk in chunks(source, path):
            copy.write(chunk)
    shutil.copymode(path, unfinished)
    _give(unfinished, owner)
    sync_file(unfinished)
    unfinished.replace(target)


def _give(path: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
