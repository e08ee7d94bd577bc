"""The state file for who only looks at it: a copy, so that nothing an exporter keeps is changed."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from .state import FILE_NAME, SYSTEM_DIRECTORY, state_directories

_TIMEOUT = 5.0
# The leases of jobs, and what was counted of each Data.fs.
_BESIDE = "jobs", "filestorage"


@contextmanager
def state_to_look_at(
    configured: Path | None,
    environ: Mapping[str, str] = os.environ,
    system: Path = SYSTEM_DIRECTORY,
) -> Iterator[tuple[Path | None, str | None]]:
    """Give a copy of the state file for as long as the context lasts, or None and why not.

    Whatever is written to it is forgotten. The files beside it are links to those of the original,
    so that they too can be read, and removed without harm. Without an original it is empty.
    """
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        copy = Path(directory, FILE_NAME)
        problem = None
        for original in state_directories(configured, environ, system):
            if os.access(original / FILE_NAME, os.R_OK):
                problem = _copy(original, copy)
                break
        yield (None, problem) if problem else (copy, None)


def _copy(original: Path, copy: Path) -> str | None:
    """Return what went wrong."""
    file = original / FILE_NAME
    try:
        _copy_database(file, copy)
        for name in _BESIDE:
            beside = copy.parent / name
            beside.mkdir(mode=0o700)
            with suppress(FileNotFoundError):
                for each in (original / name).iterdir():
                    (beside / each.name).symlink_to(each)
    except (sqlite3.Error, OSError) as error:
        return f"{file}: {error}; let the user who looks read it, and make room in {copy.parent}"
    return None


def _copy_database(file: Path, copy: Path) -> None:
    journal = file.with_name(f"{file.name}-journal")
    try:
        uri = f"file:{quote(os.fsencode(file.absolute()))}?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=_TIMEOUT)) as state,
            closing(sqlite3.connect(copy)) as copied,
        ):
            state.backup(copied)
    except sqlite3.OperationalError:
        # One who died has left something to be undone, which only who may write can do: in the
        # copy. Of two who write at the same moment that could be half of each.
        if not journal.exists():
            raise
        shutil.copyfile(journal, f"{copy}-journal")
        shutil.copyfile(file, copy)
