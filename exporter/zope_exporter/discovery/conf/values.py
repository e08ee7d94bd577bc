"""What keys and sections mean to Zope and ZEO alike: numbers, paths, addresses, storages, logs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ZConfig.components.logger.datatypes import logging_level as stock_log_level
from ZConfig.datatypes import stock_datatypes

from zope_exporter.discovery.inventory import Database, StorageKind, TlsFiles

from .address import zeo_address
from .zconfig import Section, Unresolved

_KINDS: Mapping[str, StorageKind] = {
    "filestorage": "filestorage",
    "zeoclient": "zeo",
    "clientstorage": "zeo",
    "relstorage": "relstorage",
    "temporarystorage": "temporary",
    "mappingstorage": "temporary",
}
_LASTING = ("filestorage", "zeo", "relstorage")


class Values:
    """Converts values; what cannot be converted is left out and becomes one of the `problems`.

    Zope takes a relative path from the directory it was started in. Where that is not known,
    `assumed` takes its place, and a problem says so.
    """

    def __init__(self, environ: Mapping[str, str], cwd: Path | None, assumed: Path) -> None:
        self.problems: list[str] = []
        self._environ = environ
        self._cwd = cwd
        self._assumed = assumed

    def integer(self, section: Section, key: str, default: int) -> int:
        value = self._convert(section, key, stock_datatypes["integer"])
        return default if value is None else int(value)

    def byte_size(self, section: Section, key: str, default: int) -> int:
        value = self._convert(section, key, stock_datatypes["byte-size"])
        return default if value is None else int(value)

    def boolean(self, section: Section, key: str, default: bool = False) -> bool:
        value = self._convert(section, key, stock_datatypes["boolean"])
        return default if value is None else bool(value)

    def path(self, section: Section, key: str) -> Path | None:
        text = section.value(key)
        if not text or isinstance(text, Unresolved):
            return None
        if text.startswith("~"):
            return self._under_home(section, key, text)
        return self._absolute(section, key, text)

    def zeo_address(self, section: Section, key: str, text: str) -> str | None:
        if isinstance(text, Unresolved):
            return None
        try:
            return zeo_address(str(self._absolute(section, key, text)) if "/" in text else text)
        except ValueError:
            self.problems.append(f"{section.where(key)} is not host:port or a path; correct it")
            return None

    def _convert(self, section: Section, key: str, convert: Callable[[str], Any]) -> Any:
        text = section.value(key)
        if text is None or isinstance(text, Unresolved):
            return None
        try:
            return convert(text)
        except ValueError:
            self.problems.append(f"{section.where(key)} cannot be understood; correct it")
            return None

    def _under_home(self, section: Section, key: str, text: str) -> Path | None:
        home = self._environ.get("HOME")
        user, _, rest = text[1:].partition("/")
        if user or not home:
            self.problems.append(f"{section.where(key)} is in a home directory; write it in full")
            return None
        return Path(home, rest)

    def _absolute(self, section: Section, key: str, text: str) -> Path:
        path = Path(text)
        if self._cwd is None and not path.is_absolute():
            self.problems.append(
                f"{section.where(key)} is relative to the directory of the process, taken to be "
                f"{self._assumed}; write it in full"
            )
        return (self._cwd or self._assumed) / path


def instance_directory(config: Path) -> Path:
    """The directory of the instance that a configuration file belongs to, as far as it shows."""
    return config.parent.parent if config.parent.name == "etc" else config.parent


def read_storage(section: Section, values: Values) -> Database:
    """What a storage section, or the section around one, comes down to.

    Of a demo storage it is the changes, to which all commits go; or the base, which is only read,
    if the changes are gone when Zope ends: that becomes a problem. The blob directory of a ZEO
    client or a RelStorage is a mere cache unless it is shared. What an
    undefined name hides is left out.
    """
    layers = _layers(section)
    innermost = layers[-1]
    kind = _KINDS.get(innermost.type, "temporary" if innermost.type == "demostorage" else "other")
    outermost_blobs = next((layer for layer in layers if layer.value("blob-dir")), None)
    storage = Database(
        section.name,
        kind,
        data_fs=values.path(innermost, "path") if kind == "filestorage" else None,
        blob_dir=values.path(outermost_blobs, "blob-dir") if outermost_blobs else None,
        section=innermost.type if kind == "other" else "",
        over_base=any(_lies_over_base(outer, inner) for outer, inner in pairwise(layers)),
    )
    if kind != "temporary":
        values.problems += _of_temporary_changes(layers)
    if kind == "relstorage":
        return replace(storage, sql_database=_sql_database(innermost))
    if kind != "zeo":
        return storage
    return replace(
        storage,
        zeo_servers=tuple(_servers(innermost, values)),
        zeo_storage=_storage_name(innermost),
        zeo_tls=_tls(innermost, values),
    )


def _layers(section: Section) -> tuple[Section, ...]:
    """The section, what it wraps, and so on down to what holds the data."""
    if section.type in _KINDS:
        return (section,)
    deepest: tuple[Section, ...] = ()
    changes = _changes(section)
    for inner in (changes,) if changes else section.sections:
        layers = _layers(inner)
        if layers[-1].type in _KINDS:
            return (section, *layers)
        deepest = deepest or layers
    return (section, *deepest)


def _changes(section: Section) -> Section | None:
    """Where a demo storage keeps what is committed, if that outlasts its Zope."""
    if section.type != "demostorage":
        return None
    changes = [inner for inner in section.sections if inner.name == "changes"]
    return next((each for each in changes if _KINDS.get(_layers(each)[-1].type) in _LASTING), None)


def _of_temporary_changes(layers: Sequence[Section]) -> Iterator[str]:
    for key in layers[-1].positions:
        if any(each.type == "demostorage" and _changes(each) is None for each in layers):
            yield (
                f"{layers[-1].where(key)} is of the base of a demostorage: what is committed to"
                " it is gone when Zope ends; for changes that stay add a <filestorage changes>"
            )
        return


def _lies_over_base(outer: Section, inner: Section) -> bool:
    return inner is _changes(outer) and len(outer.sections) > 1


def _servers(section: Section, values: Values) -> Iterator[str]:
    for text in section.values.get("server", ()):
        address = values.zeo_address(section, "server", text)
        if address is not None:
            yield address


_OF_DSN = re.compile(r"(\w+)\s*=\s*(?:'([^']*)'|(\S+))")
_SQL_PORTS = {"postgresql": "5432", "mysql": "3306"}


def _sql_database(section: Section) -> str:
    """`host:port/name` of a RelStorage, of which nothing secret is kept; "" if it is not told."""
    for adapter, port in _SQL_PORTS.items():
        for inner in section.find(adapter):
            given = {key: inner.value(key) for key in ("host", "port", "db", "dsn")}
            if any(isinstance(text, Unresolved) for text in given.values()):
                return ""
            told = {"port": port} | _of_dsn(given["dsn"] or "")
            told |= {key: text for key, text in given.items() if text}
            name = told.get("db") or told.get("dbname", "")
            if told.get("host") and name:
                return f"{told['host'].lower()}:{told['port']}/{name}"
    return ""


def _of_dsn(dsn: str) -> dict[str, str]:
    if "://" not in dsn:
        return {key: quoted or bare for key, quoted, bare in _OF_DSN.findall(dsn)}
    try:
        url = urlsplit(dsn)
        told = {"host": url.hostname or "", "dbname": url.path.strip("/")}
        return told | ({"port": str(url.port)} if url.port else {})
    except ValueError:
        return {}


def _storage_name(client: Section) -> str:
    name = client.value("storage") or "1"
    return "" if isinstance(name, Unresolved) else name


def _tls(client: Section, values: Values) -> TlsFiles | None:
    section = next(iter(client.find("ssl")), None)
    if section is None:
        return None
    hostname = section.value("server-hostname") or ""
    return TlsFiles(
        ca=values.path(section, "authenticate"),
        certificate=values.path(section, "certificate"),
        key=values.path(section, "key"),
        hostname="" if isinstance(hostname, Unresolved) else hostname,
        check_hostname=values.boolean(section, "check-hostname", default=True),
    )


def read_logfile(
    loggers: tuple[Section, ...], values: Values
) -> tuple[Path | None, str | None, str | None]:
    """Path, format and date format of the file that has the most of what some loggers write."""
    files = [
        file
        for logger in loggers
        for file in logger.find("logfile")
        if file.value("path") not in ("STDOUT", "STDERR")
    ]
    if not files:
        return None, None, None
    file = min(files, key=_least_level)
    path = values.path(file, "path")
    if "json" in (file.value("formatter") or "").lower():
        return path, None, None  # its format is a list of the fields
    return path, file.value("format"), file.value("dateformat")


def _least_level(handler: Section) -> int:
    try:
        return int(stock_log_level(handler.value("level") or "notset"))
    except ValueError:
        return 0
