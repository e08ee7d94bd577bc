"""What holds for all tests."""

import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code: no example has a deadline or is too slow.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# Crash tests sync thousands of small files: in memory that takes a fortieth of the time.
IN_MEMORY = Path("/dev/shm")
ROOM = 8 << 30  # bytes that all tests together never need

if (
    os.access(IN_MEMORY, os.W_OK)
    and shutil.disk_usage(IN_MEMORY).free > ROOM
    and "TMPDIR" not in os.environ
):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
