"""Reading through a large file without filling the system's page cache with it.

What is read once would push out what others read all the time, above all the pages that the Zope
beside us uses. Those of the same file have to stay: before a stretch is read it is asked which of
its pages are there already.
"""

import ctypes
import mmap
import os
from contextlib import suppress

STRETCH = 64 << 20
OVERLAP = 32 << 20  # the system reads ahead of us, twice 8 MiB on some disks, but not as far
BEHIND = 1 << 20  # this much is let go of at once
# The system has pages in groups, and drops none of a group of which only a part is let go of.
AGAIN = 4 << 20
PAGE = mmap.PAGESIZE

_LIBC = ctypes.CDLL(None)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_FAILED = ctypes.c_void_p(-1).value


class PageCache:
    """Lets go of what one reader, who goes forwards, has brought in; the rest at the end of `with`.

    Where it is not told which pages were there before, all are let alone.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begin = self._end = self._behind = self._position = 0
        self._pages = b""  # one byte each from `begin` on: whether it was there before

    def __enter__(self) -> "PageCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go(self._begin + len(self._pages) * PAGE)

    def reads(self, position: int, size: int) -> None:
        """Take notice that so much is going to be read there, and nothing before it any more."""
        if not self._position <= position <= position + size <= self._end:
            self._look(position, size)
        elif position - self._behind >= BEHIND:
            self._let_go(position)
        self._position = position

    def _look(self, position: int, size: int) -> None:
        begin = max(position - position % PAGE - AGAIN, 0)
        known = b""
        if self._begin <= begin and self._position <= position <= self._end:
            # Some of what follows we have brought in by now.
            known = self._pages[(begin - self._begin) // PAGE :]
            self._let_go(position)
        else:
            self._let_go(self._begin + len(self._pages) * PAGE)
        length = size - size % PAGE + 2 * PAGE + AGAIN + STRETCH
        self._pages = known + resident(self._descriptor, begin, length)[len(known) :]
        self._begin = self._behind = begin
        # Of the overlap the state is known from before the system read ahead into it.
        self._end = begin + length - OVERLAP

    def _let_go(self, position: int) -> None:
        """Drop the pages up to there that were not in memory before."""
        last = (position - self._begin) // PAGE
        first = max(self._behind - self._begin - AGAIN, 0) // PAGE
        while (first := self._pages.find(0, first, last)) >= 0:
            after = self._pages.find(1, first, last)
            after = last if after < 0 else after
            with suppress(OSError):
                begin, size = self._begin + first * PAGE, (after - first) * PAGE
                os.posix_fadvise(self._descriptor, begin, size, os.POSIX_FADV_DONTNEED)
            first = after
        self._behind = self._begin + last * PAGE


def resident(descriptor: int, begin: int, size: int) -> bytes:
    """Return a byte for each page of a file from `begin` on: 1 if it is in memory, else 0.

    All are said to be there where nothing is told: by an old system, by a filter of system calls,
    or of files that are not ours to write.
    """
    pages = (ctypes.c_ubyte * (size // PAGE))()
    length = len(pages) * PAGE
    # The mapping is asked about and never touched: what is cut off meanwhile does no harm.
    address = _LIBC.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, begin)
    if address == _FAILED:
        return b"\1" * len(pages)
    try:
        if _LIBC.mincore(address, length, pages) != 0:
            return b"\1" * len(pages)
    finally:
        _LIBC.munmap(address, length)
    return bytes(pages)
