"""The rows of a column by what it holds, a part at a time."""

from bisect import bisect_right
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Unsigned, zeros
from .scan_memory import ScanMemory

ROWS_A_PART = 1 << 18


def parts(length: int, rows: int = ROWS_A_PART) -> Iterator[slice]:
    """Divide a column, so that no copy of the whole is made of what is calculated from it."""
    return (slice(begin, min(begin + rows, length)) for begin in range(0, length, rows))


def up_to(column: Unsigned, order: npt.NDArray[np.uint32], begin: int, most: int) -> int:
    """Return the first place in the order, from `begin` on, of a number larger than `most`."""
    return bisect_right(
        range(len(order)), most, lo=begin, key=lambda place: int(column[order[place]])
    )


def order_of(
    column: Unsigned, memory: ScanMemory, rows: int = ROWS_A_PART
) -> Generator[None, None, npt.NDArray[np.uint32]]:
    """Return the rows from the smallest number to the largest, giving way between parts.

    They are first put into bins of which each takes a range of the numbers, then each is sorted:
    to sort all at once takes twice the memory, and nobody else has a turn until it has ended.
    """
    order = zeros(memory, len(column), np.uint32)
    bits = min((len(column) // rows).bit_length(), 16)
    shift = column.dtype.type(max(int(column.max(initial=0)).bit_length() - bits, 0))
    counts = np.zeros(1 << bits, np.int64)
    for part in parts(len(column), rows):
        counts += np.bincount((column[part] >> shift).astype(np.int64), minlength=len(counts))
        if part.stop < len(column):
            yield
    ends = np.cumsum(counts)
    free = ends - counts
    for part in parts(len(column), rows):
        _put(order, (column[part] >> shift).astype(np.uint16), free, part.start)
        if part.stop < len(column):
            yield
    for begin, end in zip((ends - counts).tolist(), ends.tolist(), strict=True):
        found = order[begin:end]
        order[begin:end] = found[np.argsort(column[found])]
        if end < len(column):
            yield
    return order


def _put(
    order: npt.NDArray[np.uint32],
    bins: npt.NDArray[np.uint16],
    free: npt.NDArray[Any],
    first_row: int,
) -> None:
    """Put rows into their bins; `free` says where in each of them the next one goes."""
    by_bin = np.argsort(bins, kind="stable")
    numbers, firsts, counts = np.unique(bins[by_bin], return_index=True, return_counts=True)
    places = np.repeat(free[numbers] - firsts, counts) + np.arange(len(bins))
    order[places] = by_bin + first_row
    free[numbers] += counts
