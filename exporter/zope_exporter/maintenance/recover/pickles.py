"""Whether the current records of a file hold whole pickles, and what they refer to.

Pickles are not run but only gone through, and that in a process of its own with little memory and
no way to write: data of a damaged file can be anything. That process runs this file, with the path
of the Data.fs. It writes a line of JSON for each object that is unreadable ("missing" is null), or
too large to be looked into (true), for each dangling reference, and last one with the number of
records.
"""

import json
import logging
import resource
import sys
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ZODB.serialize import referencesf

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.storage.filestorage.current_records import Columns, Numbers
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.format import RECORD_HEADER
from zope_exporter.storage.filestorage.full_count import FullCount, walk
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.records import begins_as_stored, unpacked
from zope_exporter.system.subprocesses import Child

if TYPE_CHECKING:
    from .report import Losses

SECONDS = 0.5
# One record may be large, and so may be what it is compressed from; what asks for more is hostile.
MEMORY = 8 << 30
MEMORY_AN_OBJECT = 64  # its row, a copy of it while it is sorted, and what is found of it
OPEN_FILES = 16
ROWS = 1 << 16


def check_pickles(data_fs: Path, losses: "Losses", report: Report) -> None:
    """Add to the losses which objects are unreadable and which references lead nowhere."""
    report.stage("going through the pickles")
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        output = Path(directory, "found")
        command = [sys.executable, "-I", "-m", __name__, str(data_fs)]
        with Child(command, output, cwd=Path("/"), env={}) as child:
            while (status := child.wait(SECONDS)) is None:
                report.check()
        lines = output.read_text(errors="replace").splitlines()
    if status != 0:
        reason = lines[-1] if lines else f"ended with status {status}"
        raise ActionError("pickles", f"the records could not be gone through: {reason}")
    for line in lines:
        _add(json.loads(line), losses)


def _add(found: dict[str, Any], losses: "Losses") -> None:
    if "records" in found:
        losses.records, losses.opaque = found["records"], found["opaque"]
    elif found["missing"] is None:
        losses.unreadable.append(found["oid"])
    elif found["missing"] is True:
        losses.too_large.append(found["oid"])
    else:
        losses.dangling.append((found["oid"], found["missing"]))


def main(data_fs: str) -> int:
    path = Path(data_fs)
    full_count = walk(path)
    _limit(resource.RLIMIT_AS, MEMORY + MEMORY_AN_OBJECT * len(full_count.columns.oids))
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    with opened(path) as descriptor:
        _go_through(DataFile(path, descriptor), full_count)
    return 0


def _limit(what: int, most: int) -> None:
    """Lower a limit; one that is lower already stays, which only root may raise."""
    least = [each for each in (most, *resource.getrlimit(what)) if each != resource.RLIM_INFINITY]
    resource.setrlimit(what, (min(least), min(least)))


def _go_through(file: DataFile, full_count: FullCount) -> None:
    columns = full_count.columns
    walk = _Walk(file, columns.oids[columns.data > 0].astype(np.uint64))
    for oid, data, size in _rows(columns):
        walk.look(oid, data, size - RECORD_HEADER.size)
    walk.end()


class _Walk:
    """Tells what is found of each record; of unreadable ones at the end, when most are known."""

    def __init__(self, file: DataFile, present: Numbers) -> None:
        self._file = file
        self._present = present
        self._unreadable = array("Q")
        self._opaque = 0

    def look(self, oid: int, position: int, size: int) -> None:
        try:
            self._follow(oid, self._file.read(size, position))
        except MemoryError:
            _tell(oid, True)

    def _follow(self, oid: int, record: bytes) -> None:
        try:
            targets = _missing(record, self._present)
        except MemoryError:
            raise
        except Exception:  # whatever the pickle machine finds wrong with it
            self._unreadable.append(oid)
            self._opaque += not begins_as_stored(record)
        else:
            for target in targets:
                _tell(oid, target)

    def end(self) -> None:
        # Of what is encrypted some begins by chance as a pickle does.
        encrypted = 2 * self._opaque > len(self._present)
        for oid in () if encrypted else self._unreadable:
            _tell(oid, None)
        opaque = len(self._unreadable) if encrypted else 0
        sys.stdout.write(json.dumps({"records": len(self._present), "opaque": opaque}) + "\n")


def _rows(columns: Columns) -> Iterator[tuple[int, int, int]]:
    """Give id, place of the data and size of each object that has data."""
    for begin in range(0, len(columns.oids), ROWS):
        part = slice(begin, begin + ROWS)
        rows = (columns.oids[part], columns.data[part], columns.sizes[part])
        for row in zip(*(column.tolist() for column in rows), strict=True):
            if row[1]:
                yield row


def _missing(record: bytes, present: Numbers) -> list[int]:
    """Return what a record refers to and is not there."""
    oids = {int.from_bytes(oid, "big") for oid in referencesf(unpacked(record))}
    targets = np.array(sorted(oids), np.uint64)
    places = np.searchsorted(present, targets)
    places[places == len(present)] = 0
    missing: list[int] = targets[present[places] != targets].tolist()
    return missing


def _tell(oid: int, missing: int | bool | None) -> None:
    sys.stdout.write(json.dumps({"oid": oid, "missing": missing}) + "\n")


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(*sys.argv[1:]))
