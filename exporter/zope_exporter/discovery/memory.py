"""What was found once, so that a Zope that stops is missed rather than forgotten."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zope_exporter.system.state import OptionalTable, StateError, state_file

_TABLE = """
CREATE TABLE IF NOT EXISTS services (
    id INTEGER PRIMARY KEY,  -- the order in which they were found
    kind TEXT NOT NULL,
    config BLOB NOT NULL,
    wsgi_ini BLOB NOT NULL,
    directory BLOB NOT NULL,
    variables TEXT NOT NULL,
    environ TEXT NOT NULL,
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, config, wsgi_ini)
)
"""
_COLUMNS = "kind, config, wsgi_ini, directory, variables, environ, site, name"
_UPSERT = f"""
INSERT INTO services ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, config, wsgi_ini) DO UPDATE SET directory = excluded.directory,
    variables = excluded.variables, environ = excluded.environ,
    site = excluded.site, name = excluded.name
"""  # noqa: S608  (a constant)
_DELETE = "DELETE FROM services WHERE kind = ? AND config = ? AND wsgi_ini = ?"

_LOST = "until then a restart of zope-exporter forgets the services that have stopped"

Pairs = tuple[tuple[str, str], ...]
_Row = tuple[Literal["zope", "zeo"], bytes, bytes, bytes, str, str, str, str]


@dataclass(frozen=True)
class Remembered:
    """A service found once: the files it is read from, what it was told, and its names.

    `site` is empty as long as it is not known what the service shares its storage with.
    """

    kind: Literal["zope", "zeo"]
    config: Path | None
    wsgi_ini: Path | None
    directory: Path | None
    variables: Pairs
    environ: Pairs
    site: str
    name: str

    @property
    def key(self) -> tuple[str, bytes, bytes]:
        return self.kind, _bytes(self.config), _bytes(self.wsgi_ini)


class Memory:
    """Remembers services in the state file; in memory only, while that cannot be used.

    Several processes may use the same file: what one of them forgets is forgotten by all.
    """

    def __init__(self, state: Path | None, problem: str | None = None) -> None:
        self._table = OptionalTable(state, _TABLE, _LOST, problem)
        self._replaced = 0
        self._known: dict[tuple[str, bytes, bytes], Remembered] = {}
        self._unsaved: dict[tuple[str, bytes, bytes], Remembered | None] = {}

    @property
    def problem(self) -> str | None:
        """Why nothing is kept at the moment, and what that costs; None while all is well."""
        return self._table.problem

    def load(self) -> tuple[Remembered, ...]:
        """Return all services in the order in which they were found. Never raises."""
        stored = self._table.attempt(_select)
        if stored is not None:
            if self._replaced != self._table.replaced:  # that is nobody's wish to forget
                self._replaced = self._table.replaced
                self._unsaved = {**self._known, **self._unsaved}
            self._known = {service.key: service for service in stored}
            self._apply()
        return tuple(self._known.values())

    def save(self, services: Iterable[Remembered], forgotten: Iterable[Remembered] = ()) -> None:
        """Add or change some services and drop others. Never raises.

        What cannot be written is kept, and written as soon as that is possible again.
        """
        self._unsaved.update({service.key: None for service in forgotten})
        self._unsaved.update({service.key: service for service in services})
        self._apply()
        if self._unsaved and self._table.attempt(self._write) is not None:
            self._unsaved.clear()

    def forget(self, name: str) -> tuple[Remembered, ...]:
        """Drop the services that have this name or belong to a site of this name; return them."""
        gone = tuple(service for service in self.load() if name in (service.name, service.site))
        self.save((), gone)
        return gone

    def _apply(self) -> None:
        for key, service in self._unsaved.items():
            if service is None:
                self._known.pop(key, None)
            else:
                self._known[key] = service

    def _write(self, state: sqlite3.Connection) -> bool:
        for key, service in self._unsaved.items():
            if service is None:
                state.execute(_DELETE, key)
            else:
                state.execute(_UPSERT, _row(service))
        return True


def open_memory(configured: Path | None, environ: Mapping[str, str] = os.environ) -> Memory:
    """Return the memory in the state directory; without one, in memory only, with the problem."""
    file, problem = state_file(configured, environ)
    return Memory(file, problem and f"{problem}; {_LOST}")


def _select(state: sqlite3.Connection) -> list[Remembered]:
    rows = state.execute(f"SELECT {_COLUMNS} FROM services ORDER BY id")  # noqa: S608
    try:
        return [_remembered(row) for row in rows]
    except ValueError as error:  # rows that are not as we write them
        raise StateError(str(error)) from error


def _row(service: Remembered) -> tuple[str | bytes, ...]:
    told = json.dumps(service.variables), json.dumps(service.environ)
    return *service.key, _bytes(service.directory), *told, service.site, service.name


def _remembered(row: _Row) -> Remembered:
    kind, config, wsgi_ini, directory, variables, environ, site, name = row
    return Remembered(
        kind,
        _path(config),
        _path(wsgi_ini),
        _path(directory),
        tuple((key, value) for key, value in json.loads(variables)),
        tuple((key, value) for key, value in json.loads(environ)),
        site,
        name,
    )


def _bytes(path: Path | None) -> bytes:
    # As bytes, for a path need not be text.
    return b"" if path is None else os.fsencode(path)


def _path(text: bytes) -> Path | None:
    return Path(os.fsdecode(text)) if text else None
