"""The data of a record as a storage that wraps the FileStorage may have changed them."""

import zlib
from io import BytesIO
from pickletools import genops

ZLIB = b".z"  # what zc.zlibstorage puts before data that it has compressed
LARGEST = 1 << 30  # a few bytes can stand for any number of them
PICKLES = 2  # of a record: the class and the state
# As a pickle of ZODB begins: PROTO and a version, or GLOBAL or MARK of the oldest.
PYTHON_2 = (b"\x80\x01", b"\x80\x02", b"c", b"(")
BEGINNINGS = (*PYTHON_2, b"\x80\x03", b"\x80\x04", b"\x80\x05")


def unpacked(data: bytes) -> bytes:
    """Return the data without compression; zlib.error if they are not whole, or too large."""
    if not data.startswith(ZLIB):
        return data
    machine = zlib.decompressobj()
    found = machine.decompress(data[len(ZLIB) :], LARGEST)
    if not machine.eof or machine.unused_data:
        raise zlib.error("the compressed data do not end where the record does")
    return found


def is_whole(data: bytes) -> bool:
    """Tell whether these bytes are the two pickles of a record, neither more nor less."""
    try:
        data = unpacked(data)
        stream = BytesIO(data)
        for _ in range(PICKLES):
            for _ in genops(stream):  # takes them apart, and runs nothing
                pass
    except Exception:  # whatever it finds wrong with what are no pickles
        return False
    return stream.tell() == len(data)


def is_pickle(data: bytes) -> bool:
    """Tell whether these bytes are one pickle."""
    stream = BytesIO(data)
    try:
        for _ in genops(stream):
            pass
    except Exception:  # as above
        return False
    return stream.tell() == len(data)


def begins_as_stored(data: bytes) -> bool:
    """Tell a pickle or compressed pickle, damaged or not, from what is encrypted."""
    return data.startswith((ZLIB, *BEGINNINGS))


def is_of_python_2(data: bytes) -> bool:
    """Tell by the version of the pickle which Python a storage is of."""
    try:
        return unpacked(data).startswith(PYTHON_2)
    except zlib.error:
        return False
