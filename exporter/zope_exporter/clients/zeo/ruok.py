"""The `ruok` exchange of ZEO 4 and later: frames of four bytes of length and as many of content."""

import re
import struct

from .errors import NonsenseError
from .link import Link
from .status import Storages, parse_status

LARGEST = 1 << 20
_LENGTH = struct.Struct(">I")
_LONGEST_GREETING = 16
_GREETING = re.compile(rb"[ZM](\d{1,4})")
_FIRST_OF_ZODB3 = 100  # ZODB3 calls its protocols Z200 to Z3101, its successors Z4, Z5 and M5
_FIRST_WITHOUT_RESOLVED = 5


def ask(link: Link) -> Storages | None:
    """Return the status of each storage, None where a ZEO of ZODB3 answers, which cannot tell.

    Raises ZeoError.
    """
    greeting = _GREETING.fullmatch(_receive(link, _LONGEST_GREETING))
    if greeting is None:
        raise NonsenseError("speaks another protocol than ZEO")
    protocol = int(greeting[1])
    if protocol >= _FIRST_OF_ZODB3:
        return None
    link.send(frame(b"ruok"))
    return parse_status(_receive(link, LARGEST), counts_resolved=protocol < _FIRST_WITHOUT_RESOLVED)


def frame(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


def _receive(link: Link, most: int) -> bytes:
    (length,) = _LENGTH.unpack(link.read(_LENGTH.size))
    if length > most:
        raise NonsenseError("speaks another protocol than ZEO")
    return link.read(length)
