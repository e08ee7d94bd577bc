"""What a new backup may go on from: an earlier one whose bytes are still those of the Data.fs.

By its fingerprint a Data.fs is known again without reading all of it. A pack changes the first
bytes of nearly every transaction, or moves them: a file whose transactions are the same at many
places, and whose last bytes are, is the same file grown.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from zope_exporter.maintenance.jobs.report import Report

from .beneath import opened
from .manifest import LENGTH, NOTHING, TAIL, Manifest, Mark, Piece
from .pieces import DamagedPieceError, Sums, bytes_between, contents, sum_of
from .repository import Backup
from .stream_check import BrokenStructureError, StreamCheck

PLACES = 64
STAGE = "comparing the last backup with the Data.fs"


def take_marks(descriptor: int, places: Iterable[int], end: int) -> tuple[Mark, ...]:
    """Return marks at these places and of the last bytes."""
    tail = max(end - TAIL, 0)
    return (
        *(_mark(descriptor, place, min(LENGTH, end - place)) for place in places),
        _mark(descriptor, tail, end - tail),
    )


def same_file(descriptor: int, manifest: Manifest) -> bool:
    """Tell whether an open file is still the one a manifest is of, by its inode and all marks."""
    status = os.fstat(descriptor)
    return (
        (status.st_dev, status.st_ino) == (manifest.device, manifest.inode)
        and status.st_size >= manifest.end
        and all(
            _mark(descriptor, mark.position, mark.length) == mark for mark in manifest.fingerprint
        )
    )


def _mark(descriptor: int, position: int, length: int) -> Mark:
    data = os.pread(descriptor, length, position)
    return Mark(position, length, sha256(data).hexdigest())


class ParentFinder:
    """Finds out whether an open Data.fs still begins with what a backup holds."""

    def __init__(self, descriptor: int, report: Report, pool: ThreadPoolExecutor) -> None:
        self._descriptor = descriptor
        self._report = report
        self._pool = pool

    def find(self, backup: Backup) -> Manifest | None:
        """Return what the next backup goes on from, None if that cannot be this one.

        Without a stamp it is what is known of pieces that have no manifest yet.
        """
        if backup.pieces[-1].end > os.fstat(self._descriptor).st_size:
            self._report.say(
                f"the Data.fs is shorter than in {backup.stamp}: it was packed, or replaced"
            )
            return None
        manifest = backup.manifest
        if manifest is None:
            return self._adopted(backup.repository, backup.pieces)
        if same_file(self._descriptor, manifest):
            self._report.say(
                f"going on from {backup.stamp}: the file is the same, and so are"
                f" {len(manifest.fingerprint)} places in it; the rest is taken to be"
            )
        elif not self._same_contents(manifest.pieces):
            self._report.say(f"the Data.fs is not as in {backup.stamp}: it was packed, or replaced")
            return None
        return manifest

    def _same_contents(self, pieces: Sequence[Piece]) -> bool:
        """Compare every byte, by the sums of the manifest."""
        self._report.stage(STAGE, pieces[-1].end)
        return all(
            sum_of_range(self._descriptor, piece.start, piece.end, self._pool, self._report)
            == piece.content
            for piece in pieces
        )

    def _adopted(self, repository: Path, pieces: Sequence[Piece]) -> Manifest | None:
        """Compare every byte of pieces that repozo made, and sum them up for a manifest."""
        self._report.stage(STAGE, pieces[-1].end)
        spacing = max(pieces[-1].end // 64, 1)
        structure = StreamCheck(0, 0, spacing)
        try:
            known = tuple(self._read(repository, piece, structure) for piece in pieces)
            structure.check_end(pieces[-1].end)
        except (DamagedPieceError, BrokenStructureError) as error:
            self._report.say(f"not going on from {pieces[-1].stamp}: {error}")
            return None
        marks = take_marks(self._descriptor, structure.places, structure.position)
        return replace(
            NOTHING,
            pieces=known,
            tid=structure.tid,
            last=structure.last,
            transactions=structure.transactions,
            records=structure.records,
            marks=marks,
        )

    def _read(self, repository: Path, piece: Piece, structure: StreamCheck) -> Piece:
        content, position = Sums(self._pool, with_md5=False), piece.start
        for data in contents(repository, piece, self._pool):
            self._report.check()
            if os.pread(self._descriptor, len(data), position) != data:
                raise DamagedPieceError(piece.name, "is not as the Data.fs is")
            position += len(data)
            content.update(data)
            structure.feed(data)
            self._report.advance(len(data))
        found = content.digest("sha256")
        if not piece.gzip:
            return replace(piece, sha256=found, content=found)
        path = repository / piece.name
        with opened(path) as descriptor:
            return replace(piece, sha256=sum_of(descriptor, path), content=found)


def sum_of_range(
    descriptor: int, start: int, end: int, pool: ThreadPoolExecutor, report: Report
) -> str:
    """Return the SHA-256 of some bytes of a file, an empty text if it ends before."""
    sums = Sums(pool, with_md5=False)
    for data in bytes_between(partial(os.pread, descriptor), start, end, report):
        sums.update(data)
    return sums.digest("sha256") if sums.size == end - start else ""
