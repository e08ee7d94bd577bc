"""Having a ZEO server pack, or give a few records, by the protocol of ZEO 5 and later.

Records are also given by servers of ZODB3, whose messages are the same but for Python 2's strings.

A server answers with pickles. ZEO's own client unpickles them, and for that imports any module that
the other end names; what is on its port need not be the server. So here no answer is unpickled: of
the opcodes of an answer only those that hold plain values are looked at, and only so many of them
as tell which call was answered, whether it failed, and why.
"""

import pickle
import pickletools
import re
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from zope_exporter.system.humanize import duration

from .link import InvalidAnswerError, Link, NoAnswerError, ZeoError
from .status import FIRST_OF_ZODB3, LENGTH, frame, greeting

_FIRST_PROTOCOL = 5
_SPOKEN = b"Z5"
_REPLY = ".reply"
_MOST_LOOKED_AT = 1 << 16  # bytes of an answer
_MOST_OPCODES = 1000
_PIECE = 1 << 16
_LONGEST_REASON = 500
ASK_SECONDS = 60.0
# Half an hour: a server may be slow to answer while it packs, and is not dead for that.
MOST_UNANSWERED = 30
_MOST_OF_A_RECORD = 1 << 20
_LATEST = b"\x7f" + b"\xff" * 7
_PLAIN = re.compile(
    "NONE|NEWTRUE|NEWFALSE|(BIN)?INT[12]?|LONG[14]?|(BIN)?FLOAT|STRING|UNICODE|GLOBAL"
    "|(SHORT_)?BIN(STRING|UNICODE|BYTES)8?"
)
_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class RefusedOrderError(ZeoError):
    """The server says that it does not, or could not, do what it was told; this is its reason."""


class _Answer(NamedTuple):
    call: int
    failed: bool
    told: list[Any]


class Server:
    """A ZEO server at the other end of a link, before the deadline of which it must let us in."""

    def __init__(self, link: Link, storage: str, takes_old: bool = False) -> None:
        """Be a client of a storage that only reads, which is enough for a pack. Raises ZeoError.

        One of ZODB3 is only taken for records.
        """
        self._link = link
        self._calls = 0
        protocol = greeting(link)
        self._is_old = protocol >= FIRST_OF_ZODB3
        if protocol < _FIRST_PROTOCOL or (self._is_old and not takes_old):
            raise ZeoError(f"is of protocol {protocol}, and packs are asked for by that of ZEO 5")
        # One that is set to msgpack takes pickles all the same from who says so.
        link.send(frame(b"Z%d" % protocol if self._is_old else _SPOKEN))
        self._told("register", storage, True)

    def pack(self, moment: float, patience: float, ask: float = ASK_SECONDS) -> None:
        """Have it pack to a time, in seconds since the epoch, for as long as it lives.

        What it has begun to say must be said within `patience` seconds. Whenever it has said
        nothing for `ask` seconds it is asked something else, which it answers while it packs.
        Raises RefusedOrderError if it says that it did not pack, else ZeoError.
        """
        call = self._call("pack", moment, True)
        told = None
        while told is None:
            first = self._first_byte(ask)
            self._link.deadline = time.monotonic() + patience
            told = self._answer_to(call, first)

    def records(self, oids: Collection[int]) -> dict[int, bytes]:
        """Return the current records of objects, without those that are missing or too large.

        Raises ZeoError.
        """
        found = {}
        for oid in oids:
            with suppress(RefusedOrderError):
                told = self._told("loadBefore", oid.to_bytes(8, "big"), _LATEST)
                data = next((each for each in told if isinstance(each, str | bytes)), None)
                if data is not None:
                    found[oid] = data.encode("latin-1") if isinstance(data, str) else data
        return found

    def _told(self, name: str, *arguments: object) -> list[Any]:
        call = self._call(name, *arguments)
        told = None
        while told is None:
            told = self._answer_to(call, most=_MOST_OF_A_RECORD)
        return told

    def _call(self, name: str, *arguments: object) -> int:
        self._calls += 1
        call = self._calls, False, name, arguments
        self._link.send(frame(_as_python_2(call) + b"." if self._is_old else pickle.dumps(call, 3)))
        return self._calls

    def _first_byte(self, ask: float) -> bytes:
        for _ in range(MOST_UNANSWERED):
            first = self._link.read_within(ask)
            if first:
                return first
            self._link.deadline = time.monotonic() + ask
            self._call("lastTransaction")
        raise NoAnswerError(f"has answered nothing for {duration(MOST_UNANSWERED * ask)}")

    def _answer_to(
        self, call: int, begun: bytes = b"", most: int = _MOST_LOOKED_AT
    ) -> list[Any] | None:
        """Read a message to its end; what it answers to the call, None if to none or another.

        Raises RefusedOrderError if it says that the call failed.
        """
        (length,) = LENGTH.unpack(begun + self._link.read(LENGTH.size - len(begun)))
        data = self._link.read(min(length, most))
        for skipped in range(len(data), length, _PIECE):
            self._link.read(min(_PIECE, length - skipped))
        answer = _answer(data)
        if answer is None or answer.call != call:
            return None
        if answer.failed:
            raise RefusedOrderError(_reason(answer.told))
        return answer.told


def _as_python_2(value: object) -> bytes:
    """Pickle tuples, numbers and strings as Python 2 does: ours would make Unicode of them."""
    match value:
        case tuple():
            return b"(" + b"".join(map(_as_python_2, value)) + b"t"
        case bytes() | str():
            raw = value if isinstance(value, bytes) else value.encode()
            return b"T" + struct.pack("<i", len(raw)) + raw
        case int():  # a bool is one
            return b"I%d\n" % value
    raise TypeError(value)


def _answer(data: bytes) -> _Answer | None:
    """Return what a message answers, None if it is none. Raises InvalidAnswerError."""
    told = list(_values(data))
    match told:
        case [int(call), bool() | int() as flag, str() | bytes() as name, *rest]:
            if _text(name) != _REPLY:
                return None
            # The first of ZEO 5 answer with the exception itself.
            failed = bool(flag) or any(isinstance(value, _Global) for value in rest)
            return _Answer(call, failed, rest)
    raise InvalidAnswerError("gives an answer that no ZEO server gives")


class _Global(str):
    """A module, and a name in it, that an unpickler would import."""

    __slots__ = ()


def _values(data: bytes) -> Iterator[Any]:
    """Yield the plain values in a pickle in their order, up to where it is none, or cut off."""
    with suppress(ValueError):
        for opcode, argument, _ in islice(pickletools.genops(data), _MOST_OPCODES):
            if opcode.name == "GLOBAL":
                yield _Global(argument)
            elif _PLAIN.fullmatch(opcode.name):
                yield _VALUES.get(opcode.name, argument)


def _reason(told: list[Any]) -> str:
    kind, *rest = [_text(each) for each in told if isinstance(each, str | bytes)] or ["it failed"]
    kind = kind.replace(" ", ".").rpartition(".")[2]
    text = f"{kind}: {', '.join(rest)}" if rest else kind
    return "".join(each if each.isprintable() else " " for each in text[:_LONGEST_REASON])


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
