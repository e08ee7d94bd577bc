"""Where the data of a record are, which an undo leaves with an earlier record."""

from zope_exporter.filestorage.records import (
    LONGEST_CHAIN,
    RECORD_HEADER_SIZE,
    DamagedError,
    DataFile,
)

from .salvage import Kept


def data_of(file: DataFile, record: Kept) -> tuple[int, int] | None:
    """Return begin and length of the data, (0, 0) of an object that was deleted or never created.

    None says that the record it points to is damaged.
    """
    if record.length or not record.back:
        return record.data, record.length
    position = record.back
    try:
        for _ in range(LONGEST_CHAIN):
            _, length, back = file.pointed(position, record.oid)
            if length:
                return _within(file, position + RECORD_HEADER_SIZE, length)
            if not back:
                return 0, 0
            position = back
    except DamagedError:
        pass
    return None


def _within(file: DataFile, position: int, length: int) -> tuple[int, int] | None:
    return (position, length) if position + length <= file.size() else None
