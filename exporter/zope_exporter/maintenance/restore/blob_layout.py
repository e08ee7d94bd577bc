"""Where ZODB looks for a blob: the two ways to lay out a blob directory.

A directory says in `.layout` which it is; `cp -r blobs/* NEW` loses that file, and ZODB then finds
none of the blobs. What the directories are called tells it as well.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ZODB.blob import LAYOUTS

from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.system.foreign_file import opened
from zope_exporter.system.fsync import named

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
        raise RefusedError("layout", reason, "write to it how they are laid out")
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
