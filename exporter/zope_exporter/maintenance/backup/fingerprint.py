"""Knowing a Data.fs again without reading all of it.

A pack changes the first bytes of nearly every transaction, or moves them: a file whose transactions
are the same at many places, and whose last bytes are, is the same file grown.
"""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256

from .manifest import TAIL, Manifest, Mark

MOST_MARKS = 256
PLACES = 64
LENGTH = 4096


def make_marks(
    descriptor: int, places: Iterable[int], end: int, before: Sequence[Mark] = ()
) -> tuple[Mark, ...]:
    """Return marks at these places and at the end, with those of an earlier manifest."""
    kept = [mark for mark in before if mark.length <= LENGTH]
    kept += [_mark(descriptor, place, min(LENGTH, end - place)) for place in places]
    while len(kept) > MOST_MARKS:
        kept = kept[::2]
    tail = max(end - TAIL, 0)
    return (*kept, _mark(descriptor, tail, end - tail))


def same_file(descriptor: int, manifest: Manifest) -> bool:
    """Tell whether an open file is still the one a manifest is of, by its inode and all marks."""
    status = os.fstat(descriptor)
    return (
        (status.st_dev, status.st_ino) == (manifest.device, manifest.inode)
        and status.st_size >= manifest.end
        and all(_mark(descriptor, mark.position, mark.length) == mark for mark in manifest.marks)
    )


def _mark(descriptor: int, position: int, length: int) -> Mark:
    data = os.pread(descriptor, length, position)
    return Mark(position, length, sha256(data).hexdigest())
