"""Recovering a damaged Data.fs to a new file, and telling all that is not in it."""

import os
from collections.abc import Iterator
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.maintenance.restore.files import name_new
from zope_exporter.storage.filestorage.contents import LONGEST_CLASS_PART, class_name
from zope_exporter.storage.filestorage.datafile import (
    FileStorageError,
    NotAFileStorageError,
    opened,
)
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, MAGICS
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.system.fsync import named, sync_directory, sync_file

from .damaged_file import DamagedFile
from .gaps import Gap
from .links import Lead, Links
from .pickles import check_pickles
from .pieces import Pieces
from .report import Losses
from .rewrite import Rewriter, unwritten
from .salvage import Salvaged
from .stored import is_of_python_2

STAGE = "recover"
BLOB = "ZODB.blob.Blob"


def recover(source: Path, target: Path, report: Report) -> Losses:
    """Write all that is whole in `source`, which is only read, to the new file `target`.

    Raises RefusedError and ActionError; what was lost is no error but the result.
    """
    if os.path.lexists(target):
        raise RefusedError("exists", f"{target} is there already", "name a new file")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        try:
            losses = salvage(source, unfinished, report)
            _prove(unfinished, report)
            check_pickles(unfinished, losses, report)
            sync_file(unfinished)
            name_new(unfinished, target)
            sync_directory(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)
    except FileStorageError as error:
        raise ActionError(STAGE, str(error)) from error
    except FileExistsError as error:
        raise RefusedError("exists", f"{target} is there already", "name a new file") from error
    except OSError as error:
        raise ActionError(STAGE, f"{error.filename or target}: {error.strerror}") from error
    return losses


def salvage(source: Path, target: Path, report: Report) -> Losses:
    """Write all that is whole to a new file, and count what is not; pickles are not looked at."""
    losses = Losses()
    with named(target), target.open("xb") as output, opened(source) as descriptor:
        mode = os.fstat(descriptor).st_mode & 0o7777
        try:
            os.fchmod(output.fileno(), mode)
        except OSError as error:
            raise unwritten(target, error) from error
        file = DamagedFile(source, descriptor)
        report.stage(f"reading {source}", file.size)
        pieces = Pieces(file, report)
        losses.notes += pieces.notes()
        report.stage("writing", file.size)
        writer = Rewriter(file, pieces.moves, output, _magic(file, pieces, losses))
        _write(file, pieces, writer, losses, report)
    losses.settle(writer.current)
    return losses


def _magic(file: DamagedFile, pieces: Pieces, losses: Losses) -> bytes:
    """Return what the file begins with, or would have, which is the version of its Python."""
    found = file.read(FIRST_TRANSACTION, 0)
    if found in MAGICS:
        return found
    first = next((piece for piece in pieces if isinstance(piece, Salvaged) and piece.records), None)
    if first is None:
        raise NotAFileStorageError(f"{file.path} has no transaction: not a FileStorage, or damaged")
    record = first.records[0]
    magic = MAGICS[not is_of_python_2(file.read(record.length, record.data))]
    losses.notes.append(f"put right: the file begins with {found!r} in place of {magic!r}")
    return magic


def _write(
    file: DamagedFile, pieces: Pieces, writer: Rewriter, losses: Losses, report: Report
) -> None:
    links = Links(file, pieces.moves)
    for piece in pieces:
        report.check()
        if isinstance(piece, Gap):
            losses.skip(piece)
        else:
            for lead in links.follow(piece):
                _follow(lead, pieces.gaps)
            losses.add(piece, [*piece.lost, *writer.write(piece)])
            losses.blobs += _renamed_blobs(file, piece)
        report.advance(piece.end - piece.start)
    losses.doubts += links.doubts


def _follow(lead: Lead, gaps: list[Gap]) -> None:
    if lead.hole is not None:
        gaps[lead.hole].oids.add(lead.oid)
    if lead.record is not None:
        lead.record.oid = lead.oid


def _renamed_blobs(file: DamagedFile, found: Salvaged) -> Iterator[tuple[int, int, int]]:
    for record in found.records:
        if record.tid != found.tid and record.length:
            data = file.read(min(record.length, LONGEST_CLASS_PART), record.data)
            if class_name(data) == BLOB:
                yield record.oid, record.tid, found.tid


def _prove(target: Path, report: Report) -> None:
    """Read what was written as strictly as any backup."""
    report.stage("reading what was written", target.stat().st_size)
    walk(target, report.advance)
