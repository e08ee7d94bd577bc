"""What a record refers to, by going through its two pickles without running them.

It comes to what ZODB's `referencesf` does, in the memory of the record: no number in a pickle
makes it ask for more.
"""

from collections.abc import Generator
from io import BytesIO
from pickletools import OpcodeInfo, genops, markobject

OID_LENGTH = 8
OPCODES_A_STEP = 5000
PICKLES = 2  # of a record: the class and the state

_BYTES = {
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("SHORT_BINSTRING", "BINSTRING", "STRING"),  # Python 2
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_MARK, _LIST, OTHER = object(), object(), object()


def strong_references(data: bytes) -> Generator[None, None, set[int]]:
    """Return the ids that a pack would follow: of weak references and other databases none.

    It gives way now and then. Raises ValueError if these are not the pickles of a record, or refer
    as ZODB does not.
    """
    machine = Machine()
    yield from machine.steps(data)
    return machine.found


class Machine:
    """A stack of what may become a reference; the memo is shared by both pickles, as in ZODB."""

    def __init__(self) -> None:
        self.found: set[int] = set()
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def steps(self, data: bytes) -> Generator[None, None, None]:
        """Go through a record. Raises ValueError if these are not its pickles."""
        stream = BytesIO(data)
        try:
            for _ in range(PICKLES):
                for number, (opcode, argument, _) in enumerate(genops(stream)):
                    self.do(opcode, argument)
                    if number % OPCODES_A_STEP == 0:
                        yield
        except Exception as error:  # whatever pickletools finds wrong with what are no pickles
            raise ValueError("not the pickles of a record") from error

    def do(self, opcode: OpcodeInfo, argument: object) -> None:
        name, stack = opcode.name, self._stack
        if name in _BYTES:
            stack.append(_oid(argument))
        elif name in _GETS and isinstance(argument, int):
            stack.append(self._memo.get(argument, OTHER))
        elif name in _PUTS and isinstance(argument, int):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in _TUPLES:
            self._tuple(len(stack) - _TUPLES[name])
        else:
            self._do_rarer(opcode)

    def _do_rarer(self, opcode: OpcodeInfo) -> None:
        name, stack = opcode.name, self._stack
        if name == "BINPERSID":
            self._refer(stack.pop())
            stack.append(OTHER)
        elif name == "PERSID":
            raise ValueError("a reference as a line of text")
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            begin = self._mark()
            del stack[begin]
            self._tuple(begin)
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            self._do_by_effect(opcode)

    def _do_by_effect(self, opcode: OpcodeInfo) -> None:
        """Take from the stack what an opcode takes, and put what it puts, whatever that is."""
        before, after, stack = opcode.stack_before, opcode.stack_after, self._stack
        if markobject in before:
            del stack[self._mark() :]
            before = before[: before.index(markobject)]
        elif opcode.name == "POP" and stack[-1] is _MARK:
            del stack[-1]
            return
        taken = len(before)
        if taken > len(stack):
            raise ValueError("a pickle takes more than it has")
        is_list = opcode.name in ("APPEND", "APPENDS", "EMPTY_LIST", "LIST")
        del stack[len(stack) - taken :]
        stack.extend([_LIST if is_list else OTHER] * len(after))

    def _mark(self) -> int:
        """Return where the last mark is."""
        return len(self._stack) - 1 - self._stack[::-1].index(_MARK)

    def _tuple(self, begin: int) -> None:
        """Of the tuple only the first member matters, whatever the others are."""
        if begin < 0:
            raise ValueError("a pickle takes more than it has")
        first = self._stack[begin] if begin < len(self._stack) else OTHER
        self._stack[begin:] = [(first if isinstance(first, bytes) else OTHER,)]

    def _refer(self, to: object) -> None:
        if to is _LIST:  # a weak reference, or one to another database
            return
        oid = to[0] if isinstance(to, tuple) else to
        if not isinstance(oid, bytes):
            raise ValueError("a reference that is no object id")
        self.found.add(int.from_bytes(oid, "big"))


def _oid(argument: object) -> object:
    """Return what may be an object id, and nothing larger."""
    if isinstance(argument, str):
        if len(argument) != OID_LENGTH:
            return OTHER
        argument = argument.encode("latin-1")
    return argument if isinstance(argument, bytes) and len(argument) == OID_LENGTH else OTHER
