"""What a restore would do, said without doing it: no lock is taken, and nothing is tried out."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from zope_exporter.maintenance.jobs.report import RefusedError, Silent
from zope_exporter.maintenance.plan import Answer, moment, proof_of
from zope_exporter.maintenance.room import Need, room_of
from zope_exporter.storage.filestorage.datafile import (
    DataFileMissingError,
    FileStorageError,
    opened,
)
from zope_exporter.storage.filestorage.format import UNDONE, time_of
from zope_exporter.storage.filestorage.open_files import Holders
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DataFile
from zope_exporter.storage.filestorage.tail import tail_of
from zope_exporter.system.humanize import size

from .place import Place
from .repository_source import BackupSource
from .restore import planned_blobs, written

MOST_COUNTED = 10_000


class Why(Silent):
    """A report that keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def about_backup(source: BackupSource, why: Sequence[str], now: float) -> Iterator[Answer]:
    """Yield which backup would be restored and why, and its proof and size."""
    backup = source.backup
    until = moment(time_of(source.last.to_bytes(8, "big")))
    yield Answer(
        "backup",
        f"{source.name}: {'; '.join(why)}",
        {"stamp": backup.stamp, "repository": str(backup.repository), "last_transaction": until},
    )
    good, proof = proof_of(backup, now)
    unproven = "it was never proven to be good, and is only when it is restored"
    yield Answer("proof", f"{good}, and not written to since" if good else unproven, proof)
    sizes = source.sizes()
    total = sum(sizes.values())
    blobs = f" and {len(sizes)} blobs of {size(total)}" if source.blobs else ", without blobs"
    facts = {
        "data_bytes": source.size,
        "blobs": len(sizes) if source.blobs else None,
        "blob_bytes": total if source.blobs else None,
    }
    yield Answer("size", f"a Data.fs of {size(source.size)}{blobs}", facts)


def needed(source: BackupSource, place: Place) -> list[Need]:
    """Return what a restore writes, where what is kept takes links alone.

    Raises RefusedError and OSError.
    """
    return [*written(source, place, planned_blobs(source, place, ()))]


def about_room(needs: Sequence[Need]) -> Answer:
    """Say what is to be written where, and what is free there."""
    found = room_of(needs)
    texts = [
        f"{size(each.needed)} of {size(each.free)} that are free on the file system of"
        f" {each.directory}"
        for each in found
    ]
    kept = "what is there before is kept by hard links; without those it takes as much again"
    facts = [
        {"directory": str(each.directory), "needed_bytes": each.needed, "free_bytes": each.free}
        for each in found
    ]
    return Answer("room", f"{' and '.join(texts)}; {kept}", {"file_systems": facts})


def about_losses(source: BackupSource, data_fs: Path) -> Answer:
    """Say which transactions of a Data.fs are later than those of a backup."""
    unknown = {"transactions": None, "first": None, "last": None, "same_history": None}
    try:
        with opened(data_fs) as descriptor:
            return _losses(source, DataFile(data_fs, descriptor, HEADERS_ONLY))
    except DataFileMissingError:
        return Answer("lost", f"nothing: {data_fs} is not there", {**unknown, "transactions": 0})
    except FileStorageError as error:
        return Answer("lost", f"unknown: {error}", unknown)


def _losses(source: BackupSource, file: DataFile) -> Answer:
    last = tail_of(file).last
    count, first, same = 0, None, False
    for each in islice(file.backwards(last) if last else (), MOST_COUNTED + 1):
        if each.tid <= source.last:
            same = each.tid == source.last
            break
        count += each.status != UNDONE
        first = each.tid
    newest = last and moment(time_of(last.tid.to_bytes(8, "big")))
    begin = first and moment(time_of(first.to_bytes(8, "big")))
    facts = {"transactions": count, "first": begin, "last": newest, "same_history": same}
    if count > MOST_COUNTED:
        text = f"more than {MOST_COUNTED} transactions of {file.path}, the last of {newest}"
        return Answer("lost", text, {**facts, "transactions": None, "first": None})
    if count == 1:
        text = f"1 transaction of {file.path}, of {newest}"
    elif count:
        text = f"{count} transactions of {file.path}, from {begin} to {newest}"
    else:
        text = f"no transaction of {file.path}, whose last one is of {newest}"
    if not same and source.backup.covered_tid is not None:
        text += (
            "; that of the backup is not in it: it was packed since, or is of another history, of"
            " which all is lost that the backup has not"
        )
    return Answer("lost", text, facts)


def about_use(found: Holders, data_fs: Path, refusals: Sequence[RefusedError]) -> Answer:
    """Say who has a Data.fs open; all have to be stopped."""
    texts = [each.reason for each in refusals] or [f"no process that is seen has {data_fs} open"]
    if found.hidden:
        texts.append(
            f"{found.hidden} processes of other users may not be inspected, so that the restore"
            " asks for root or --go-by-the-lock"
        )
    texts.append("Zope and ZEO have to be stopped from before the restore until its end")
    facts = {"open_by": list(found.pids), "not_inspected": found.hidden}
    return Answer("meanwhile", "; ".join(texts), facts)
