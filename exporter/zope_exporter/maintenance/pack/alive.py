"""Whether a process that was seen still runs."""

import psutil

from zope_exporter.discovery.inventory import Process

# The kernel counts start times from its own start, which is known to the second only.
START_SECONDS = 2.0


def runs(process: Process) -> bool:
    """Tell; one that only waits for its parent to notice its end does not run."""
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.start_time) < START_SECONDS
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
