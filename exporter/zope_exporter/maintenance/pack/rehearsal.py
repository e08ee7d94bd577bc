"""What a pack would do, said without doing it."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone

from zope_exporter.maintenance.jobs.report import Report
from zope_exporter.storage.filestorage.datafile import FileStorageError, status
from zope_exporter.system.humanize import size

from .preconditions import check
from .target import PackSettings, PackTarget

DAY = 86400.0


def rehearse(
    target: PackTarget,
    settings: PackSettings,
    report: Report,
    clock: Callable[[], float] = time.time,
) -> None:
    """Raise RefusedError where a pack would, else say what it would do; nothing is touched."""
    report.stage("preconditions")
    check(target, settings, report, clock)
    report.say(f"it would be packed through {target.engine.name}")
    report.say(_freed(target, settings.garbage))
    moment = datetime.fromtimestamp(clock() - settings.days * DAY, timezone.utc).astimezone()
    report.say(
        f"what was replaced or deleted before {moment.isoformat(timespec='seconds')} would go:"
        " nothing done before that can be undone any more"
    )
    report.say("nothing was done")


def _freed(target: PackTarget, garbage: int | None) -> str:
    if garbage is None:
        return "what it would free is not known: no exporter has counted this Data.fs yet"
    used = ""
    if target.data_fs is not None:
        with suppress(FileStorageError):
            used = f" of {size(status(target.data_fs).st_size)}"
    return f"it would free up to {size(garbage)}{used}, less with more days of history"
