"""Recovering a damaged Data.fs to a new file, and telling all that is not in it."""

import os
from pathlib import Path

from zope_exporter.durable import named, sync_directory, sync_file
from zope_exporter.filestorage.datafile import opened
from zope_exporter.filestorage.errors import FileStorageError
from zope_exporter.filestorage.records import DataFile
from zope_exporter.filestorage.walk import walk
from zope_exporter.jobs.report import ActionError, RefusedError, Report

from .losses import Losses
from .pickles import check_pickles
from .rewrite import Rewriter, unwritten
from .salvage import Gap, Salvager

STAGE = "recover"


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
            target.hardlink_to(unfinished)  # unlike a rename, it replaces nothing
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
        file = DataFile(source, descriptor)
        report.stage(f"reading {source}", file.size())
        writer = Rewriter(file, output)
        for piece in Salvager(file).pieces():
            report.check()
            if isinstance(piece, Gap):
                losses.skip(piece)
            else:
                losses.add(piece, [*piece.lost, *writer.write(piece)])
            report.advance(piece.end - piece.start)
    losses.settle(writer.current)
    return losses


def _prove(target: Path, report: Report) -> None:
    """Read what was written as strictly as any backup."""
    report.stage("reading what was written", target.stat().st_size)
    walk(target, report.advance)
