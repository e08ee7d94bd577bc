"""The files of a blob directory: which are blobs, and what restores that were cut off left."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from .blob_layout import MARKER
from .files import UNFINISHED

KEPT = ".before-restore-"


def remove_unfinished(blob_dir: Path) -> None:
    """Remove what runs that were cut off did not finish."""
    real = blob_dir.resolve()
    for directory, begin in ((real.parent, real.name + KEPT), (real, KEPT)):
        if directory.is_dir():
            for left in directory.iterdir():
                if left.name.startswith(begin) and left.name.endswith(UNFINISHED):
                    shutil.rmtree(left)
    for left in _walk(real) if real.is_dir() else ():
        if left.name.endswith((f".blob{UNFINISHED}", MARKER + UNFINISHED)):
            left.unlink()


def files(root: Path) -> Iterator[Path]:
    """Give all blobs and the mark of the layout; what uploads left half-done is no blob.

    Nor is a link, which could lead to a file that only we may read, nor what is in a directory that
    is not of blobs: another site, or a repository.
    """
    return (path for path in _blobs(root) if stat.S_ISREG(path.lstat().st_mode))


def odd(root: Path) -> Iterator[Path]:
    """Give what has the name of a blob, and is something else."""
    return (path for path in _blobs(root) if not stat.S_ISREG(path.lstat().st_mode))


def _blobs(root: Path) -> Iterator[Path]:
    for path in _walk(root):
        if path.name.endswith(".blob") or (path.name == MARKER and path.parent == root):
            yield path


def _walk(root: Path) -> Iterator[Path]:
    for directory, inside, names in os.walk(root, onerror=_raise):
        inside[:] = [name for name in inside if name.startswith("0x")]
        for name in names:
            yield Path(directory, name)


def _raise(error: OSError) -> NoReturn:
    """A directory that cannot be read is not an empty one: its blobs would not be kept."""
    raise error
