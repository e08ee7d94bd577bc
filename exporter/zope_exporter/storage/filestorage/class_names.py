"""The class of an object, as its record names it.

No pickle is run. A record is two of them, of which the first is the class, or a tuple of it and
arguments; depending on the age of the record, the class is a GLOBAL, two strings with STACK_GLOBAL,
or a tuple of them.
"""

PROTOCOL = 0x80
FRAME = 0x95
MARK = 0x28
SHORT_STRINGS = b"UC\x8c"
LONG_STRINGS = b"TBX"
MEMOS = {0x71: 2, 0x72: 5, 0x94: 1}  # BINPUT, LONG_BINPUT, MEMOIZE with their arguments
LONGEST_NAME = 1000
LONGEST_CLASS_PART = 2 * LONGEST_NAME + 50
OTHER = "other"  # what has no class, or none that is shown


def class_name(data: bytes) -> str | None:
    """Return module and name of the class, None if the data do not begin as ZODB writes them.

    `data` need not go beyond the first LONGEST_CLASS_PART bytes.
    """
    position = _begin(data)
    if data[position : position + 1] == b"c":
        module, _, rest = data[position + 1 : position + LONGEST_CLASS_PART].partition(b"\n")
        name, end, _ = rest.partition(b"\n")
        return _dotted(module, name) if end else None
    strings = []
    for _ in range(2):
        string, position = _string(data, position)
        if string is None:
            return None
        strings.append(string)
    return _dotted(*strings)


def _begin(data: bytes) -> int:
    position = 2 if data[:1] == bytes([PROTOCOL]) else 0
    if data[position : position + 1] == bytes([FRAME]):
        position += 9
    while data[position : position + 1] == bytes([MARK]):
        position += 1
    return position


def _string(data: bytes, position: int) -> tuple[bytes | None, int]:
    opcode = data[position : position + 1]
    if opcode and opcode in SHORT_STRINGS:
        begin = position + 2
    elif opcode and opcode in LONG_STRINGS:
        begin = position + 5
    else:
        return None, position
    end = begin + int.from_bytes(data[position + 1 : begin], "little")
    if end > len(data):
        return None, position
    after = end + MEMOS.get(data[end], 0) if end < len(data) else end
    return data[begin:end], after


def _dotted(module: bytes, name: bytes) -> str | None:
    if not 0 < len(module) <= LONGEST_NAME or not 0 < len(name) <= LONGEST_NAME:
        return None
    return f"{module.decode(errors='replace')}.{name.decode(errors='replace')}"
