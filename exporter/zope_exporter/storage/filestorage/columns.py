"""Arrays of a scan that become longer, and their numbers wider, as is needed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .scan_memory import ScanMemory

Array = npt.NDArray[Any]
Unsigned = npt.NDArray[np.unsignedinteger[Any]]

SHORTEST = 1024


def zeros(memory: ScanMemory, length: int, dtype: npt.DTypeLike) -> Array:
    """Return an array; NoRoomError if there is no room for it."""
    mapping = memory.mapping(length * np.dtype(dtype).itemsize)
    return np.frombuffer(mapping, dtype, length)


class Column:
    """An array that becomes longer."""

    def __init__(self, memory: ScanMemory, values: Array | None = None) -> None:
        self._memory = memory
        self._array = zeros(memory, SHORTEST, np.uint32) if values is None else values
        self._length = 0 if values is None else len(values)

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> Unsigned:
        return self._array[: self._length]

    def extend(self, values: Unsigned) -> None:
        needed = self._length + len(values)
        self._array = fitting(self._memory, self._array, int(values.max(initial=0)))
        if needed > len(self._array):
            longer = zeros(self._memory, needed * 5 // 4, self._array.dtype)
            longer[: self._length] = self.values
            self._array = longer
        self._array[self._length : needed] = values
        self._length = needed


def fitting(memory: ScanMemory, column: Unsigned, most: int) -> Unsigned:
    """Return the column, made wider if it has no room for numbers up to `most`."""
    dtype = np.dtype(np.uint32 if most < 1 << 32 else np.uint64)
    if dtype.itemsize <= column.dtype.itemsize:
        return column
    wider = zeros(memory, len(column), dtype)
    wider[:] = column
    return wider
