"""Which blobs the current records of a Data.fs need, told without running a pickle."""

from collections.abc import Iterator
from pathlib import Path

from ZODB.blob import LAYOUTS

from zope_exporter.durable import named
from zope_exporter.filestorage.census import Census
from zope_exporter.filestorage.datafile import opened
from zope_exporter.filestorage.pickles import LONGEST_CLASS_PART, class_name
from zope_exporter.filestorage.records import DataFile
from zope_exporter.jobs.report import ActionError

BLOB = "ZODB.blob.Blob"
LONGEST_MARKER = 64


def missing_blobs(data_fs: Path, census: Census, blob_dir: Path | None) -> list[Path]:
    """Return the files of current blobs that are not there; without a directory, all of them."""
    directory = blob_dir or Path()
    layout = LAYOUTS[layout_of(directory) if blob_dir else "bushy"]
    needed = (directory / layout.getBlobFilePath(oid, tid) for oid, tid in _needed(data_fs, census))
    return [path for path in needed if blob_dir is None or not path.is_file()]


def layout_of(blob_dir: Path) -> str:
    """Return the name of the layout; one without a mark is of before there was a choice.

    Raises ActionError for one that ZODB does not know, and OSError.
    """
    path = blob_dir / ".layout"
    try:
        with named(path), path.open("rb") as marker:
            name = marker.read(LONGEST_MARKER).decode(errors="replace").strip()
    except FileNotFoundError:
        return "lawn" if any(blob_dir.glob("0x*")) else "bushy"
    if name not in LAYOUTS:
        known = " nor ".join(sorted(LAYOUTS))
        reason = f"{path} says neither {known}, but {name!r}"
        raise ActionError("blobs", reason, "write to it how they are laid out")
    return name


def _needed(data_fs: Path, census: Census) -> Iterator[tuple[bytes, bytes]]:
    columns = census.current.columns
    with opened(data_fs) as descriptor:
        file = DataFile(data_fs, descriptor)
        for oid, data, number in zip(
            columns.oids.tolist(),
            columns.data.tolist(),
            columns.transactions.tolist(),
            strict=True,
        ):
            if data and _is_blob(file, data):
                tid = file.transaction(census.starts[number]).tid
                yield oid.to_bytes(8, "big"), tid.to_bytes(8, "big")


def _is_blob(file: DataFile, position: int) -> bool:
    size = min(LONGEST_CLASS_PART, file.size() - position)
    return class_name(file.read(size, position)) == BLOB
