"""How long each thread has spent in loads of the storages that are timed."""

from __future__ import absolute_import

import threading
import time

clock = getattr(time, "monotonic", time.time)


class _Spent(threading.local):
    """What a thread asks for is its own."""

    seconds = 0.0


spent = _Spent()
