"""Letting the site go first: maintenance takes the processor time that nobody else wants."""

import os
import threading

NICENESS = 10


def step_back() -> None:
    """Lower the priority of this thread, and of all threads and processes that it begins.

    To be called once in a thread. Where it may use several processors, it leaves one of them alone:
    be it as nice as can be, a request cannot take the processor from it while the kernel works on
    its data, which would be felt by one request in a hundred.
    """
    thread = threading.get_native_id()
    now = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(now, NICENESS))
    allowed = os.sched_getaffinity(thread)
    if len(allowed) > 1:
        os.sched_setaffinity(thread, allowed - {max(allowed)})
