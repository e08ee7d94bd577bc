"""Reading from disks only when nobody else does."""

import threading
from contextlib import suppress

import psutil


def read_when_idle() -> None:
    """Let the disks serve this thread after all others, where the system can do that.

    Not the processor's priority: a thread that has to wait there may hold Python's lock.
    """
    with suppress(OSError, psutil.Error):
        psutil.Process(threading.get_native_id()).ionice(psutil.IOPRIO_CLASS_IDLE)
