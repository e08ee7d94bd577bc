"""Letting the site go first: maintenance takes the processor time that nobody else wants."""

import os
import threading

NICENESS = 10


def step_back() -> None:
    """Lower the priority of this thread, and of all threads and processes that it begins."""
    thread = threading.get_native_id()
    now = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(now, NICENESS))
