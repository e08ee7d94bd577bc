"""The program that goes through all pickles of a Data.fs: DATA_FS

It writes a line of JSON for each unreadable object ("missing" is null) and dangling reference.
"""

import json
import logging
import resource
import sys
from pathlib import Path

from ZODB.serialize import referencesf

from zope_exporter.filestorage.census import Census
from zope_exporter.filestorage.datafile import opened
from zope_exporter.filestorage.records import DataFile
from zope_exporter.filestorage.walk import walk

# The index of a large file takes some, and one record may be large; what asks for more is hostile.
MEMORY = 8 << 30
HEADER = 42


def main(data_fs: str) -> int:
    path = Path(data_fs)
    census = walk(path)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    with opened(path) as descriptor:
        _go_through(DataFile(path, descriptor), census)
    return 0


def _go_through(file: DataFile, census: Census) -> None:
    columns = census.current.columns
    present = set(columns.oids[columns.data > 0].tolist())
    for oid, data, size in zip(
        columns.oids.tolist(), columns.data.tolist(), columns.sizes.tolist(), strict=True
    ):
        if data:
            for missing in _missing(file.read(size - HEADER, data), present):
                sys.stdout.write(json.dumps({"oid": oid, "missing": missing}) + "\n")


def _missing(data: bytes, present: set[int]) -> list[int | None]:
    try:
        targets = {int.from_bytes(oid, "big") for oid in referencesf(data)}
    except Exception:  # whatever the pickle machine finds wrong with it
        return [None]
    return [target for target in sorted(targets) if target not in present]


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(*sys.argv[1:]))
