"""zeo.conf, which runzeo reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.discovery.inventory import Database

from .values import Values, instance_directory, read_logfile, read_storage
from .zconfig import Section, read

_NOT_STORAGES = frozenset({"zeo", "runner", "eventlog", "logger", "environment"})


@dataclass(frozen=True)
class ZeoConf:
    """What a zeo.conf says; the addresses are written as `zeo_address` writes them.

    `files` are this file and all that it includes. Without a usable `address` the server does not
    start; it is empty then, and a problem says so.
    """

    path: Path
    address: str
    monitor_address: str | None
    wants_tls: bool
    storages: tuple[Database, ...]
    pid_file: Path | None
    log: Path | None
    log_format: str | None
    log_date_format: str | None
    files: tuple[Path, ...]
    problems: tuple[str, ...]


def read_zeo_conf(
    path: Path,
    environ: Mapping[str, str] = {},
    cwd: Path | None = None,
    root: Path | None = None,
) -> ZeoConf:
    """Read a zeo.conf; raises ConfigFileError.

    `environ`, `cwd` and `root` are those of the ZEO process, whose files may not be ours.
    """
    path = path.absolute()
    top, problems = read(path, environ, root)
    values = Values(environ, cwd, instance_directory(path))
    server = next(iter(top.find("zeo")), Section("zeo", "", {}))
    address = _address(server, "address", values)
    if not address:
        values.problems.append(f"{path}: no usable address in <zeo>; add one, as 127.0.0.1:8100")
    log, log_format, date_format = read_logfile(top.find("eventlog"), values)
    return ZeoConf(
        path=path,
        address=address or "",
        monitor_address=_address(server, "monitor-address", values),
        wants_tls=bool(server.find("ssl")),
        storages=_storages(path, top, address, values),
        pid_file=values.path(server, "pid-filename") or _default_pid_file(environ),
        log=log,
        log_format=log_format,
        log_date_format=date_format,
        files=top.files,
        problems=(*problems, *dict.fromkeys(values.problems)),
    )


def _address(server: Section, key: str, values: Values) -> str | None:
    text = server.value(key)
    return None if text is None else values.zeo_address(server, key, text)


def _storages(
    path: Path, top: Section, address: str | None, values: Values
) -> tuple[Database, ...]:
    storages = []
    for section in top.sections:
        if section.type not in _NOT_STORAGES:
            storage = read_storage(section, values)
            name = section.name or "1"
            served = Database(
                name,
                "filestorage" if storage.data_fs else "other",
                data_fs=storage.data_fs,
                blob_dir=storage.blob_dir,
                zeo_servers=(address,) if address else (),
                zeo_storage=name,
            )
            storages.append(served)
    if not storages:
        values.problems.append(f"{path}: serves no storage; add <filestorage 1>")
    return tuple(storages)


def _default_pid_file(environ: Mapping[str, str]) -> Path | None:
    home = environ.get("INSTANCE_HOME")
    return Path(home, "var", "ZEO.pid") if home else None
