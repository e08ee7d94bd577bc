"""Reading a whole Data.fs once to know that it is one from its first to its last byte."""

from collections.abc import Callable
from pathlib import Path

from .datafile import opened
from .errors import TornTailError
from .full_count import FullCount
from .records import DataFile


def walk(path: Path, seen: Callable[[int], object] = lambda _: None) -> FullCount:
    """Read the headers of all transactions and records; `seen` is given the bytes passed.

    Raises DamagedError, and TornTailError if the last transaction is not whole.
    """
    with opened(path) as descriptor:
        file = DataFile(path, descriptor)
        census, passed = FullCount(), 0
        for _ in census.steps(file):
            seen(census.position - passed)
            passed = census.position
        size = file.size()
        seen(size - passed)
        if census.position != size:
            raise TornTailError(
                f"{path} has {size - census.position} bytes after its last whole transaction, at"
                f" byte {census.position}",
                path.stat().st_mtime,
            )
        return census
