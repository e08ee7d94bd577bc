"""The data of a record, as the storage that wraps a FileStorage may have changed them.

zc.zlibstorage compresses what gets smaller by it, and marks that. Others encrypt: of their records
nothing can be told.
"""

import zlib

ZLIB = b".z"  # what zc.zlibstorage puts before data that it has compressed
LARGEST_DATA = 1 << 30  # a few bytes can stand for any number of them
# As a pickle of ZODB begins: PROTO and a version, or GLOBAL or MARK of the oldest.
PYTHON_2 = (b"\x80\x01", b"\x80\x02", b"c", b"(")
BEGINNINGS = (*PYTHON_2, b"\x80\x03", b"\x80\x04", b"\x80\x05")


def unpacked(data: bytes, most: int = LARGEST_DATA) -> bytes:
    """Return the data without compression; zlib.error if they are not whole, or too large."""
    if not data.startswith(ZLIB):
        return data
    machine = zlib.decompressobj()
    found = machine.decompress(memoryview(data)[len(ZLIB) :], most)
    if not machine.eof or machine.unused_data:
        raise zlib.error("the compressed data do not end where the record does")
    return found


def begins_as_stored(data: bytes) -> bool:
    """Tell a pickle or compressed pickle, damaged or not, from what is encrypted."""
    return data.startswith((ZLIB, *BEGINNINGS))
