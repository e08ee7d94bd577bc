"""The ways in which rotated logs are named: what moves the log away for the n-th time."""

import bz2
import gzip
import logging.handlers
import lzma
import os
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from ZConfig.components.logger import loghandler

Scheme = Callable[[Path, int], None]

FIRST_DAY = date(2026, 11, 25)  # so that a month and the year end soon
KEPT = 1000

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def day(number: int) -> date:
    return FIRST_DAY + timedelta(number)


def _at_the_end(mark: Callable[[int], str], log: Path, number: int) -> None:
    log.rename(log.with_name(log.name + mark(number)))


def _within(mark: Callable[[int], str], log: Path, number: int) -> None:
    log.rename(log.with_name(log.stem + mark(number) + log.suffix))


def _dated(text: str) -> Callable[[int], str]:
    return lambda number: day(number).strftime(text)


def _shift(log: Path, number: int, first: int = 1) -> None:
    """As logrotate does it: the newest is .1, whatever has been compressed."""
    for older in range(number + first, first - 1, -1):
        for suffix in ("", *_COMPRESSORS):
            file = log.with_name(f"{log.name}.{older}{suffix}")
            if file.exists():
                file.rename(log.with_name(f"{log.name}.{older + 1}{suffix}"))
    if log.exists():
        log.rename(log.with_name(f"{log.name}.{first}"))


def _compressed(scheme: Scheme, suffix: str, delay: bool, log: Path, number: int) -> None:
    """Compress the file that is moved away or, with a delay, those that were before."""
    if delay:
        _compress_all(log, suffix)
    scheme(log, number)
    if not delay:
        _compress_all(log, suffix)


def _compress_all(log: Path, suffix: str) -> None:
    for file in rotated(log):
        if file.suffix not in _COMPRESSORS:
            compress(file, suffix)


def compress(file: Path, suffix: str) -> None:
    """Compress a file as gzip does, which keeps its time, but for what is below a second."""
    packed = file.with_name(file.name + suffix)
    status = file.stat()
    packed.write_bytes(_COMPRESSORS[suffix](file.read_bytes()))
    os.utime(packed, (int(status.st_atime), int(status.st_mtime)))
    file.unlink()


def _copied(scheme: Scheme, log: Path, number: int) -> None:
    """Copy and truncate: the copy has the name that the scheme gives."""
    live = log.with_name("live")
    log.rename(live)
    shutil.copyfile(live, log)
    os.utime(log, (live.stat().st_mtime,) * 2)  # by the clock of the test
    scheme(log, number)
    os.truncate(live, 0)
    live.rename(log)


def _rotating_handler(log: Path, _: int) -> None:
    handler = logging.handlers.RotatingFileHandler(log, backupCount=KEPT)
    handler.doRollover()
    handler.close()


def _timed_handler(log: Path, number: int) -> None:
    handler = logging.handlers.TimedRotatingFileHandler(log, when="midnight", utc=True)
    days = (day(number) - date(1970, 1, 1)).days
    handler.rolloverAt = (days + 1) * 86400
    handler.doRollover()
    handler.close()


def _zconfig_handler(log: Path, _: int) -> None:
    handler = loghandler.RotatingFileHandler(str(log), backupCount=KEPT)
    handler.reopen()
    handler.close()


_ASCENDING = partial(_at_the_end, lambda number: f".{number}")
_YMD = partial(_at_the_end, _dated("-%Y%m%d"))

SCHEMES: dict[str, Scheme] = {
    "mmdd": partial(_at_the_end, _dated(".%m%d")),
    "dd": partial(_at_the_end, _dated(".%d")),
    "ascending": _ASCENDING,
    "year": partial(_at_the_end, lambda number: f".{2026 + number}"),
    "ymd": _YMD,
    "logrotate": _shift,
    "epoch": partial(_at_the_end, lambda number: f"-{1796072800 + 86400 * number}"),
    "iso date": partial(_at_the_end, _dated(".%Y-%m-%d")),
    "date and time": partial(_at_the_end, _dated("_%Y-%m-%dT%H:%M:%S")),
    "within": partial(_within, _dated("-%Y%m%d")),
    "ascending within": partial(_within, lambda number: f".{number}"),
    "savelog": partial(_shift, first=0),
    "RotatingFileHandler": _rotating_handler,
    "TimedRotatingFileHandler": _timed_handler,
    "ZConfig": _zconfig_handler,
    "ascending, gzip": partial(_compressed, _ASCENDING, ".gz", False),
    "ascending, gzip later": partial(_compressed, _ASCENDING, ".gz", True),
    "logrotate, gzip later": partial(_compressed, _shift, ".gz", True),
    "ymd, bzip2": partial(_compressed, _YMD, ".bz2", False),
    "mmdd, xz later": partial(_compressed, partial(_at_the_end, _dated(".%m%d")), ".xz", True),
    "copytruncate, ascending": partial(_copied, _ASCENDING),
    "copytruncate, logrotate": partial(_copied, _shift),
    "copytruncate, ymd, gzip": partial(_compressed, partial(_copied, _YMD), ".gz", False),
}


def rotated(log: Path) -> list[Path]:
    """Return the rotated files of a log."""
    return [each for each in log.parent.iterdir() if re.search(r"\d", each.name.replace("Z4", ""))]
