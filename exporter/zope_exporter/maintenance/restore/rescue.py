"""What a pack that died between its two renames leaves: Data.fs.pack, whole, and no Data.fs."""

from dataclasses import dataclass
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.full_count import FullCount, walk
from zope_exporter.system.fsync import sync_directory, sync_file

from .files import name_new
from .point_in_time import shown

STAGE = "rescue"


@dataclass(frozen=True)
class Rescue:
    """Which file to put in the place of a missing Data.fs: `best`; `text` explains it."""

    best: Path | None
    text: str


def explain(data_fs: Path, report: Report) -> Rescue | None:
    """Read what is beside a missing Data.fs from end to end; None if it is not missing."""
    if not _is_missing(data_fs):
        return None
    pack, old = (data_fs.with_name(data_fs.name + end) for end in (".pack", ".old"))
    begin = (
        f"{data_fs} is missing. Do not start Zope or ZEO: they would make an empty database and"
        " delete all blobs. "
    )
    packed, past = _read(pack, report), _read(old, report)
    if isinstance(packed, FullCount) and isinstance(past, FullCount) and packed.tid >= past.tid:
        text = (
            f"{pack.name} is whole, to {_end(packed)}, as is {old.name}: the pack died when all was"
            f" copied. Nothing is lost: mv {pack} {data_fs}"
        )
        return Rescue(pack, begin + text)
    if isinstance(past, FullCount):
        text = (
            f"{old.name} is whole, to {_end(past)}; {pack.name} is {_said(packed)}."
            f" mv {old} {data_fs}"
        )
        return Rescue(old, begin + text)
    text = f"{old.name} is {_said(past)}; {pack.name} is {_said(packed)}. Restore a backup."
    return Rescue(None, begin + text)


def rescue(data_fs: Path, report: Report) -> Path:
    """Put the whole file in place of the missing one; return which it was.

    The caller holds ZODB's lock.
    """
    found = explain(data_fs, report)
    if found is None:
        raise RefusedError("there", f"{data_fs} is there: there is nothing to rescue")
    report.say(found.text)
    if found.best is None:
        raise ActionError(STAGE, "no complete file could be read beside it", "restore a backup")
    try:
        _put_in_place(found.best, data_fs)
    except OSError as error:
        there = "is not there yet" if _is_missing(data_fs) else "is there, and whole"
        reason = f"{error.filename}: {error.strerror}"
        raise ActionError(STAGE, reason, f"{data_fs} {there}") from error
    return found.best


def _put_in_place(best: Path, data_fs: Path) -> None:
    sync_file(best)
    # An index there is, is of another file.
    data_fs.with_name(data_fs.name + ".index").unlink(missing_ok=True)
    name_new(best, data_fs)
    sync_directory(data_fs.parent)


def _is_missing(data_fs: Path) -> bool:
    """Unlike os.path.lexists, which takes what the system cannot tell for a no."""
    try:
        data_fs.lstat()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise ActionError(STAGE, f"{data_fs}: {error.strerror}") from error
    return False


def _read(path: Path, report: Report) -> FullCount | str:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "not there"
    except OSError as error:
        return f"not readable ({error.strerror})"
    report.stage(f"reading {path.name}", size)
    try:
        return walk(path, report.advance)
    except FileStorageError as error:
        return f"not whole ({error})"


def _said(found: FullCount | str) -> str:
    return found if isinstance(found, str) else f"whole, to {_end(found)}"


def _end(full_count: FullCount) -> str:
    return shown(full_count.tid.to_bytes(8, "big")) if full_count.tid else "its beginning, empty"
