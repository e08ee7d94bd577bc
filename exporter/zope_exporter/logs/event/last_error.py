"""The last error in an event log, whole, for a person who asks for it."""

import os
from pathlib import Path

from zope_exporter.logs.wrapping.colours import without_colours
from zope_exporter.logs.wrapping.layers import Unwrapping, find_layers
from zope_exporter.system.foreign_file import opened

from .fields import severity
from .format import RecordFormat, record_format
from .requests import without_requests

LOOKED_AT = 256 * 1024  # bytes at the end of the file
LONGEST = 8 * 1024  # bytes of a record
_ERRORS = ("ERROR", "CRITICAL")
_CUT = b"\n[...]\n"


def last_error(
    path: Path, text: str | None = None, date_format: str | None = None, shared: bool = False
) -> str | None:
    """Return the last record of severity ERROR or CRITICAL near the end of a log, None without.

    `text` and `date_format` are the format its handler was given, as for `record_format`; a
    `shared` file has the access log, too. Of a long record, such as one with a deep traceback, the
    beginning and the end are returned. What is not UTF-8 is shown as escapes.
    Raises OSError if the file cannot be read or is no regular file, ValueError for a format that
    is not understood or does not tell where a record begins.
    """
    records = record_format(text, date_format)
    if not records.tells_records:
        raise ValueError("does not tell where a record begins")
    block = b"\n" + without_colours(_end_of(path))
    layers = find_layers(block[1:], lambda lines: bool(records.start.search(b"\n" + lines)))
    if layers:
        records = record_format() if "json" in layers else records
        block = b"\n" + Unwrapping(layers)(block[1:])
    if shared:
        block = without_requests(block, records.start, shared=True)
    end = len(block)
    for begin in reversed(list(records.start.finditer(block))):
        level = next((group for group in begin.groups() if group), b"")
        if severity(level.decode("utf-8", "replace")) in _ERRORS:
            return _shortened(_without_separator(block[begin.start() : end + 1], records))
        end = begin.start()
    return None


def _end_of(path: Path) -> bytes:
    """The last whole lines of a file."""
    with opened(path) as descriptor:
        begin = max(0, os.fstat(descriptor).st_size - LOOKED_AT)
        block = os.pread(descriptor, LOOKED_AT, begin).replace(b"\r\n", b"\n")
    if begin:
        block = block[block.find(b"\n") + 1 :]
    return block[: block.rfind(b"\n") + 1]


def _without_separator(record: bytes, records: RecordFormat) -> bytes:
    """Leave out what separates a record from the one after it."""
    separator = next(filter(record.endswith, records.separators), b"")
    return record.removesuffix(separator).strip(b"\n")


def _shortened(record: bytes) -> str:
    if len(record) > LONGEST:
        half = LONGEST // 2
        record = record[:half] + _CUT + record[-half:]
    return record.decode("utf-8", "backslashreplace")
