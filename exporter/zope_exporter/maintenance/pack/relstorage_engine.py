"""Packing a RelStorage by the `zodbpack` of the Zope that mounts it, with the user it runs as."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from zope_exporter.discovery.conf.config_file import ConfigFileError
from zope_exporter.discovery.conf.zconfig import Section, UnresolvedError, as_text, read
from zope_exporter.discovery.inventory import Database, Service
from zope_exporter.maintenance.jobs.report import RefusedError, Report

from .program import own_program, program
from .target import Running

# Caches of the Zope that runs: a second process with them would be in its way.
NOT_OURS = frozenset({"cache-local-dir", "cache-servers", "cache-prefix"})
# A pack that sees records only packed or encrypted by a wrapper finds no reference in them, and
# takes all for garbage.
WRAPPERS = {
    "relstorage": "relstorage",
    "zlibstorage": "zc.zlibstorage",
    "timedstorage": "Products.ZopeExporterAgent",
}
SECRET = re.compile(r"pass|pwd|secret|dsn", re.IGNORECASE)
SHORTEST_SECRET = 3


@dataclass(frozen=True)
class _Order:
    command: list[str]
    config: str
    secrets: tuple[str, ...]
    uid: int
    gid: int


class RelStorageEngine:
    """Packs a RelStorage of a running Zope, whose environment has the `zodbpack` that fits."""

    name = "zodbpack"
    meanwhile = "the site goes on, and shares the SQL server with zodbpack"

    def __init__(self, service: Service, database: Database) -> None:
        self._service = service
        self._database = database

    def check(self) -> None:
        """Raise RefusedError `zodbpack` if that cannot be run as it should."""
        self._order(0.0)

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; it ends with us, and the next one begins anew."""
        order = self._order(days)
        with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
            config = Path(directory, "storage.conf")
            config.touch(0o600)
            config.write_text(order.config)
            who = str(order.uid), str(order.gid), str(config)
            command = own_program("as_user", *who, *order.command)
            with program(command, report, hidden=order.secrets) as running:
                yield running

    def _order(self, days: float) -> _Order:
        service = self._service
        if service.process is None or service.config is None:
            raise _refused("a Zope that mounts it must run, for its environment has the program")
        try:
            process = psutil.Process(service.process.pid)
            words, environ, cwd = process.cmdline(), process.environ(), process.cwd()
            uid, gid = process.uids().effective, process.gids().effective
        except psutil.Error as error:
            reason = f"process {service.process.pid} cannot be inspected"
            raise _refused(reason) from error
        program_path = _zodbpack(words, Path(cwd))
        section = self._section(service.config, environ)
        try:
            imports = "".join(f"%import {package}\n" for package in sorted(set(_packages(section))))
            config = imports + as_text(section, NOT_OURS)
        except UnresolvedError as error:
            raise _refused(str(error)) from error
        command = [str(program_path), "--days", repr(days)]
        return _Order(command, config, tuple(_secrets(section)), uid, gid)

    def _section(self, config: Path, environ: dict[str, str]) -> Section:
        try:
            top, _ = read(config, environ)
        except ConfigFileError as error:
            raise _refused(str(error)) from error
        for database in top.find("zodb_db"):
            if database.name == self._database.name and database.sections:
                return database.sections[0]
        raise _refused(f"{config} has no storage of {self._database.name} any more")


def _packages(section: Section) -> Iterator[str]:
    """Give what defines the types of a storage and its wrapper."""
    if section.type not in WRAPPERS:
        raise _refused(f"it is wrapped in <{section.type}>, of which nothing is known here")
    yield WRAPPERS[section.type]
    if section.type != "relstorage":
        for inner in section.sections:
            yield from _packages(inner)


def _zodbpack(words: list[str], cwd: Path) -> Path:
    for word in words[:2]:  # the interpreter, and the script of the same environment
        path = cwd / word
        found = path.with_name("zodbpack")
        if "/" in word and os.access(found, os.X_OK):
            return found
    raise _refused(f"there is no zodbpack beside {' or '.join(words[:2])}")


def _secrets(section: Section) -> Iterator[str]:
    for key, values in section.values.items():
        if SECRET.search(key):
            for value in values:
                yield from (
                    word for word in re.split(r"[\s'\"=]+", value) if len(word) > SHORTEST_SECRET
                )
    for inner in section.sections:
        yield from _secrets(inner)


def _refused(reason: str) -> RefusedError:
    return RefusedError("zodbpack", f"the RelStorage cannot be packed from here: {reason}")
