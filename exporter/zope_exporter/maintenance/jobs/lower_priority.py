"""Maintenance at a low priority: it takes the processor time that nobody else wants."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

NICENESS = 10


def lower_priority() -> None:
    """Lower the priority of this thread, and of all threads and processes that it begins.

    To be called once in a thread. Where it may use several processors, it leaves one of them alone:
    be it as nice as can be, a request cannot take the processor from it while the kernel works on
    its data, which would be felt by one request in a hundred.

    The filter of a unit or of a container may refuse it: better a job at full priority than none.
    """
    thread = threading.get_native_id()
    with _as_far_as_allowed("the niceness"):
        now = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(now, NICENESS))
    with _as_far_as_allowed("the processors"):
        allowed = os.sched_getaffinity(thread)
        if len(allowed) > 1:
            os.sched_setaffinity(thread, allowed - {max(allowed)})


@contextmanager
def _as_far_as_allowed(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.debug("%s of this thread cannot be changed: %s", what, error)
