"""Having a ZEO server pack, by the protocol of ZEO 5 and later.

A server answers with pickles. ZEO's own client unpickles them, and for that imports any module that
the other end names; what is on its port need not be the server. So here no answer is unpickled: of
the opcodes of an answer only those that hold plain values are looked at, and only so many of them
as tell which call was answered, whether it failed, and why.
"""

import pickle
import pickletools
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from .link import InvalidAnswerError, Link, ZeoError
from .status import FIRST_OF_ZODB3, LENGTH, frame, greeting

_FIRST_PROTOCOL = 5
_SPOKEN = b"Z5"
_REPLY = ".reply"
_MOST_LOOKED_AT = 1 << 16  # bytes of an answer
_MOST_OPCODES = 1000
_PIECE = 1 << 16
_LONGEST_REASON = 500
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

    def __init__(self, link: Link, storage: str) -> None:
        """Be a client of a storage that only reads, which is enough for a pack. Raises ZeoError."""
        self._link = link
        self._calls = 0
        # One that is set to msgpack takes pickles all the same from who says so.
        protocol = greeting(link)
        if not _FIRST_PROTOCOL <= protocol < FIRST_OF_ZODB3:
            raise ZeoError(f"is of protocol {protocol}, and packs are asked for by that of ZEO 5")
        link.send(frame(_SPOKEN))
        self._answer_to("register", storage, True)

    def pack(self, moment: float, patience: float) -> None:
        """Have it pack to a time, in seconds since the epoch, however long that takes.

        What it has begun to say must be said within `patience` seconds. Raises RefusedOrderError
        if it says that it did not, else ZeoError.
        """
        self._link.keep_alive()
        self._answer_to("pack", moment, True, patience=patience)

    def _answer_to(self, name: str, *arguments: object, patience: float | None = None) -> None:
        self._calls += 1
        call = pickle.dumps((self._calls, False, name, arguments), 3)
        self._link.send(frame(call))
        answer = self._heard(patience)
        while answer.call != self._calls:
            answer = self._heard(patience)
        if answer.failed:
            raise RefusedOrderError(_reason(answer.told))

    def _heard(self, patience: float | None) -> _Answer:
        """Return the next answer; what it says to all clients, of commits, is none."""
        while True:
            if patience is not None:
                self._link.deadline = None
            first = self._link.read(1)
            if patience is not None:
                self._link.deadline = time.monotonic() + patience
            (length,) = LENGTH.unpack(first + self._link.read(LENGTH.size - 1))
            data = self._link.read(min(length, _MOST_LOOKED_AT))
            for skipped in range(len(data), length, _PIECE):
                self._link.read(min(_PIECE, length - skipped))
            answer = _answer(data)
            if answer is not None:
                return answer


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
