"""Packs that let requests through.

A pack reads the file in little pieces. With each it gives up Python's global lock, and has it back
before another thread has woken up to take it; that one waits on, for tens of milliseconds in all,
since a thread asks for the lock only after some time in which nobody gave it up. So every now and
then the pack pauses, for as long as it takes a thread to wake up, and takes half as long again.
"""

from __future__ import absolute_import

import time
from contextlib import contextmanager
from timeit import default_timer

SPELL = 0.001  # seconds between pauses
PAUSE = 0.0002  # seconds


@contextmanager
def considerate(storage, pause=time.sleep):  # noqa: TID251  # no event is waited for
    """Have a FileStorage pause as it packs; other storages, and packers not its own, stay as is."""
    from ZODB.FileStorage import FileStorage

    if getattr(storage, "packer", None) is not FileStorage.packer:
        yield
        return
    storage.packer = _packer(pause)
    try:
        yield
    finally:
        del storage.packer


def _packer(pause):
    """What FileStorage does itself, but with pauses; see IFileStoragePacker of ZODB."""
    from ZODB.FileStorage.fspack import FileStoragePacker

    def pack(storage, referencesf, stop, gc):
        packer = FileStoragePacker(storage, referencesf, stop, gc)
        # One looks for what can be reached, one copies: both read the header of every record.
        for reader in (getattr(packer, "gc", None), packer):
            if hasattr(reader, "_read_data_header"):  # else it just does not pause
                reader._read_data_header = _pausing(reader._read_data_header, pause)
        try:
            end = packer.pack()
            return None if end is None else (end, packer.index)
        finally:
            if hasattr(packer, "close"):  # since ZODB 4
                packer.close()

    return pack


def _pausing(read, pause):
    due = [0.0]

    def read_with_pauses(*arguments, **keywords):
        if default_timer() >= due[0]:
            pause(PAUSE)
            due[0] = default_timer() + SPELL
        return read(*arguments, **keywords)

    return read_with_pauses
