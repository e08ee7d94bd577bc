"""What an action whose process died has left on the disk, and what that means."""

from collections.abc import Iterator
from pathlib import Path

from zope_exporter.config.actions import PACK
from zope_exporter.system.humanize import size

from .job import Job

RESCUE = (
    "do not start Zope or ZEO, which would delete the blobs;"
    " first say zope-exporter recover {data_fs} --rescue-pack"
)
GOES_ON = "a Zope or ZEO server that was asked to pack goes on with it by itself"


def remains(job: Job) -> list[str]:
    """Return what is to be said, a sentence each; nothing if nothing is left."""
    return [*_of_pack(job), *_of_backup(job)]


def _of_pack(job: Job) -> Iterator[str]:
    data_fs = job.places.data_fs
    if job.task.action != PACK:
        return
    if job.begun is not None:
        yield GOES_ON
    if data_fs is None:
        return
    pack = data_fs.with_name(data_fs.name + ".pack")
    if not pack.is_file():
        return
    if data_fs.is_file():
        yield f"left {pack}{_size(pack)}, which the next pack overwrites"
    else:
        yield f"{data_fs} is missing: {RESCUE.format(data_fs=data_fs)}"


def _of_backup(job: Job) -> Iterator[str]:
    repository = job.places.repository
    if job.task.action == PACK or repository is None:
        return
    for path in sorted(_entries(repository)):
        if path.name.endswith(".tmp"):
            yield f"left {path}{_size(path)}, which the next backup removes"


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _size(path: Path) -> str:
    try:
        return f" ({size(path.stat().st_size)})" if path.is_file() else ""
    except OSError:
        return ""
