"""The state of an object, as far as it is texts, tuples, dicts and references; no pickle is run.

What else a pickle makes, numbers and objects of any class, is left out: it is `OTHER`.
"""

from pickletools import OpcodeInfo
from typing import NamedTuple

from .pickle_machine import OID_LENGTH, OTHER, Machine

LARGEST_STATE = 1 << 22
_TEXTS = {
    *("SHORT_BINBYTES", "BINBYTES", "SHORT_BINSTRING", "BINSTRING", "STRING"),
    *("SHORT_BINUNICODE", "BINUNICODE", "UNICODE"),
}


class Ref(NamedTuple):
    """A reference to another object, and its class; empty where only its record names that."""

    oid: int
    class_name: str


def state_of(data: bytes) -> object:
    """Return the state in a record: dicts have only the keys that are texts.

    Raises ValueError if these are not the pickles of a record, or too large to look into.
    """
    if len(data) > LARGEST_STATE:
        raise ValueError("too large a record")
    machine = _Values()
    for _ in machine.steps(data):
        pass
    return machine.made


class _Class(str):
    """The name of a class, which is no text of the state."""

    __slots__ = ()


class _Values(Machine):
    """Keeps values on its stack; `made` is what the last pickle came to."""

    def __init__(self) -> None:
        super().__init__()
        self.made: object = None

    def do(self, opcode: OpcodeInfo, argument: object) -> None:
        name, stack = opcode.name, self._stack
        if name in _TEXTS:
            stack.append(argument)
        elif name == "GLOBAL":
            stack.append(_Class(str(argument).replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            named = all(type(each) is str for each in stack[-2:])  # else it may be of any size
            stack[-2:] = [_Class(".".join(map(str, stack[-2:]))) if named else OTHER]
        elif name == "BINPERSID":
            stack.append(_reference(stack.pop()))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            self._put(name)
        elif name == "STOP":
            self.made = stack.pop()
        else:
            super().do(opcode, argument)

    def _put(self, name: str) -> None:
        stack = self._stack
        begin = len(stack) - 2 if name == "SETITEM" else self._mark()
        items = stack[begin + (name != "SETITEM") :]
        del stack[begin:]
        if name == "DICT":
            stack.append({})
        made = stack[-1]
        if isinstance(made, dict):
            keys = items[::2]
            found = zip(keys, items[1::2], strict=True)
            made.update((key, value) for key, value in found if type(key) is str)

    def _tuple(self, begin: int) -> None:
        if begin < 0:
            raise ValueError("a pickle takes more than it has")
        self._stack[begin:] = [tuple(self._stack[begin:])]


def _reference(to: object) -> object:
    """Return the reference to an object of the same database, OTHER for another one."""
    oid, named = to if isinstance(to, tuple) and len(to) == 2 else (to, "")
    if isinstance(oid, str):  # Python 2
        oid = oid.encode("latin-1", "replace")
    if not isinstance(oid, bytes) or len(oid) != OID_LENGTH:
        return OTHER
    return Ref(int.from_bytes(oid, "big"), named if isinstance(named, _Class) else "")
