"""The rows of jobs in the state file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from sqlite3 import Row
from typing import Any

from .job import Job, Places, Task

TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    database TEXT NOT NULL,
    action TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    queued REAL NOT NULL,
    begun REAL,
    ended REAL,
    stage TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    log TEXT NOT NULL DEFAULT '[]',
    code TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '{}',
    data_fs BLOB,      -- a path need not be text
    repository BLOB
)
"""
_PLAIN = (
    *("id", "origin", "state", "queued", "begun", "ended"),
    *("stage", "done", "total", "code", "error"),
)


def job_of(row: Row) -> Job:
    """Return the job of a row."""
    return Job(
        task=Task(row["site"], row["database"], row["action"]),
        log=tuple(json.loads(row["log"])),
        result=json.loads(row["result"]),
        places=Places(_path(row["data_fs"]), _path(row["repository"])),
        **{name: row[name] for name in _PLAIN},
    )


def as_text(value: Any) -> Any:
    """Return what is told in terms of JSON with all its texts such as can be kept and sent.

    Whoever names a file may put bytes there that are no UTF-8; they are shown escaped.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: as_text(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(each) for each in value]
    return value


def path_bytes(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _path(path: bytes | None) -> Path | None:
    return None if path is None else Path(os.fsdecode(path))
