"""Inputs that are nearly right, the same for the same seed."""

import random
from collections.abc import Iterator

LONG = 4096
TELLING = (
    b"\0",
    b"\xff" * 8,
    b"9" * 400,
    b"[" * 3000,
    b'"',
    b"\n",
    b"%",
    b"$",
    b"\xe2\x80\xa8",
    b"-1",
)


def mutants(seed: bytes, number: int, chance: random.Random) -> Iterator[bytes]:
    """Give what is right and empty, and then so many that have a few flaws each."""
    yield seed
    yield b""
    for _ in range(number):
        data = bytearray(seed)
        for _ in range(chance.randrange(1, 5)):
            _spoil(data, chance)
        yield bytes(data)


def _spoil(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(at + chance.choice((1, 1, 2, 8, 40, LONG)), len(data))
    kind = chance.randrange(5)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del data[at:end]
    elif kind == 2:
        data[at:at] = data[at:end]
    elif kind == 3:
        data[at:at] = chance.choice(TELLING)
    else:
        data[at:end] = chance.randbytes(end - at)
