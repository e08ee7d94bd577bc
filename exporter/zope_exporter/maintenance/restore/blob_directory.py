"""A directory of blobs: how it is laid out, which of its files are blobs, and how to find it.

A directory says in `.layout` which of the two ways it is laid out; `cp -r blobs/* NEW` loses that
file, and ZODB then finds none of the blobs. What the directories are called tells it as well.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from ZODB.blob import LAYOUTS

from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.system.foreign_file import opened
from zope_exporter.system.fsync import named
from zope_exporter.system.humanize import few

from .files import UNFINISHED, remove_file, remove_tree

MARKER = ".layout"
BUSHY, LAWN = "bushy", "lawn"
LONGEST_MARKER = 64
BYTES_OF_ID = 8


def marked(blob_dir: Path) -> str | None:
    """Return which layout a directory says it has, None if it does not say.

    Raises RefusedError for one that ZODB does not know, and OSError.
    """
    path = blob_dir / MARKER
    try:
        with named(path), opened(path) as marker:
            name = os.read(marker, LONGEST_MARKER).decode(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if name not in LAYOUTS:
        known = " nor ".join(sorted(LAYOUTS))
        reason = f"{path} says neither {known}, but {name!r}"
        raise RefusedError("layout", reason, "write the layout into it")
    return name


def told_by(paths: Iterable[str]) -> str | None:
    """Return the layout that most of the paths of blobs have, None without any."""
    counted = Counter(layout for path in paths if (layout := _layout(path)))
    return counted.most_common(1)[0][0] if counted else None


def placed(path: str, layout: str) -> str:
    """Return the path of a blob in a layout, whichever it has now."""
    parts = path.split("/")
    if _layout(path) in (None, layout):
        return path
    oid = int("".join(part.removeprefix("0x") for part in parts[:-1]), 16)
    directory: str = LAYOUTS[layout].oid_to_path(oid.to_bytes(BYTES_OF_ID, "big"))
    return f"{directory}/{parts[-1]}"


def _layout(path: str) -> str | None:
    *directories, _ = path.split("/")
    try:
        numbers = [int(part, 16) for part in directories]
    except ValueError:
        return None
    if len(directories) == BYTES_OF_ID and all(number < 1 << 8 for number in numbers):
        return BUSHY
    return LAWN if len(directories) == 1 and numbers[0] < 1 << 64 else None


KEPT = ".before-restore-"


def remove_unfinished(blob_dir: Path) -> None:
    """Remove what runs that were cut off did not finish."""
    real = blob_dir.resolve()
    for directory, begin in ((real.parent, real.name + KEPT), (real, KEPT)):
        if directory.is_dir():
            for left in directory.iterdir():
                if left.name.startswith(begin) and left.name.endswith(UNFINISHED):
                    remove_tree(directory, left)
    for left in _walk(real) if real.is_dir() else ():
        if left.name.endswith((f".blob{UNFINISHED}", MARKER + UNFINISHED)):
            remove_file(real, left)


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


ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def find_blobs(path: Path) -> Path:
    """Return the directory of blobs that is meant: itself, or the only one in it.

    Raises RefusedError `blobs`, and OSError.
    """
    if not path.is_dir():
        if path.name.endswith(ARCHIVES) and path.exists():
            reason = f"{path} is an archive: blobs in one are not supported"
            raise RefusedError("blobs", reason, "unpack it, and name the directory")
        raise RefusedError("blobs", f"{path} is no directory", "name that of the blobs")
    if _is_one(path):
        return path
    inside = sorted(each for each in path.iterdir() if not each.is_symlink())
    found = [each for each in inside if each.is_dir() and _is_one(each)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError(
            "blobs", f"{path} has several directories of blobs", f"name one: {few(found)}"
        )
    raise _none(path, inside)


def _none(path: Path, inside: list[Path]) -> RefusedError:
    archives = [each for each in inside if each.name.endswith(ARCHIVES)]
    if archives:
        reason = f"{path} has blobs in an archive, {archives[-1].name}: that is not supported"
        return RefusedError("blobs", reason, "unpack it, and name the directory")
    deeper = [each for each in inside if each.is_dir() and any(map(_is_one, _directories(each)))]
    remedy = "name the directory whose entries begin with 0x"
    if deeper:
        remedy = f"name one: {few(deeper)}"
    return RefusedError("blobs", f"{path} is not a directory of blobs", remedy)


def _directories(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if each.is_dir() and not each.is_symlink()]


def _is_one(path: Path) -> bool:
    return (path / MARKER).is_file() or any(path.glob("0x*"))
