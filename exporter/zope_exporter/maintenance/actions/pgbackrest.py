"""When pgBackRest last made a backup, as `pgbackrest info --output=json` has told a file."""

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

from zope_exporter.system.foreign_file import opened

LARGEST = 16 << 20


def last_of_stanza(path: Path, stanza: str) -> float | None:
    """Return when the last backup of a stanza without an error ended, None without any.

    Raises OSError, also for a file that says something else.
    """
    with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(LARGEST)
    try:
        ends = [
            float(backup["timestamp"]["stop"])
            for each in _listed(json.loads(data))
            if each["name"] == stanza
            for backup in each["backup"]
            if _is_good(backup)
        ]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        reason = "it is not what `pgbackrest info --output=json` prints"
        raise OSError(errno.EINVAL, reason, str(path)) from error
    return max(filter(math.isfinite, ends), default=None)


def _listed(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise TypeError("no list of stanzas")
    return told


def _is_good(backup: dict[str, Any]) -> bool:
    # Pages whose checksums are wrong; versions before 2.36 do not look, and say nothing.
    return not backup.get("error")
