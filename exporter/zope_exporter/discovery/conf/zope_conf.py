"""zope.conf, from Zope 2.13 to 6."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ZConfig.datatypes import inet_binding_address

from zope_exporter.discovery.inventory import Database

from .address import reachable
from .values import Values, instance_directory, read_logfile, read_storage
from .zconfig import Section, Unresolved, read

_POOL_SIZE = 7
_CACHE_OBJECTS = 5000


@dataclass(frozen=True)
class ZopeConf:
    """What a zope.conf says, with Zope's defaults for what it does not say.

    Only a Zope with ZServer says here where it listens, how many threads it runs and what it logs;
    a Zope with WSGI says so in its ini file. The agent makes its socket in `agent_home`. `files`
    are this file and all that it includes.
    """

    path: Path
    instance_home: Path
    client_home: Path
    agent_home: Path
    databases: tuple[Database, ...]
    debug_mode: bool
    pid_file: Path
    http_addresses: tuple[str, ...]
    threads: int | None
    access_log: Path | None
    event_log: Path | None
    access_log_format: str | None
    event_log_format: str | None
    event_log_date_format: str | None
    files: tuple[Path, ...]
    problems: tuple[str, ...]


def read_zope_conf(
    path: Path,
    environ: Mapping[str, str] = {},
    zope2: bool = False,
    cwd: Path | None = None,
    root: Path | None = None,
) -> ZopeConf:
    """Read a zope.conf; raises ConfigFileError.

    `environ`, `cwd` and `root` are those of the Zope process, whose files may not be ours.
    """
    path = path.absolute()
    top, problems = read(path, environ, root)
    layout = instance_directory(path)
    values = Values(environ, cwd, layout)
    instance_home = _path(top, "instancehome", values)
    if instance_home is None:
        values.problems.append(f"{path}: instancehome is missing, taken to be {layout}; add it")
        instance_home = layout
    client_home = _path(top, "clienthome", values) or instance_home / "var"
    access = tuple(logger for logger in top.find("logger") if logger.name == "access")
    access_log, access_log_format, _ = read_logfile(access, values)
    event_log, event_log_format, date_format = read_logfile(top.find("eventlog"), values)
    return ZopeConf(
        path=path,
        instance_home=instance_home,
        client_home=client_home,
        agent_home=_agent_home(top, values) or client_home,
        databases=_databases(path, top, values),
        debug_mode=values.boolean(top, "debug-mode"),
        pid_file=_path(top, "pid-filename", values)
        or client_home / ("Z2.pid" if zope2 else "Z4.pid"),
        http_addresses=tuple(_http_addresses(top, values)),
        threads=values.integer(top, "zserver-threads", 0) or None,
        access_log=access_log,
        event_log=event_log,
        access_log_format=access_log_format,
        event_log_format=event_log_format,
        event_log_date_format=date_format,
        files=top.files,
        problems=(*problems, *dict.fromkeys(values.problems)),
    )


def _path(top: Section, key: str, values: Values) -> Path | None:
    text = top.value(key)
    if isinstance(text, Unresolved):
        # The default may not quietly stand in for what is only known with its variable.
        return Path("/", text)
    return values.path(top, key)


def _agent_home(top: Section, values: Values) -> Path | None:
    for section in top.find("product-config"):
        if section.name == "zope-exporter":
            return _path(section, "socket-directory", values)
    return None


def _databases(path: Path, top: Section, values: Values) -> tuple[Database, ...]:
    databases: dict[str, Database] = {}
    for section in top.find("zodb_db"):
        if not section.name:
            values.problems.append(f"{path}: a <zodb_db> has no name; add one, as <zodb_db main>")
            continue
        if section.name in databases:
            values.problems.append(f"{path}: two <zodb_db {section.name}>; rename one")
        databases[section.name] = _database(path, section, values)
    if not databases:
        values.problems.append(f"{path}: mounts no database; add <zodb_db main>")
    return tuple(databases.values())


def _database(path: Path, section: Section, values: Values) -> Database:
    storage = read_storage(section, values)
    mount_points = tuple(_mount_points(section, values))
    if not mount_points:
        values.problems.append(f"{path}: <zodb_db {section.name}> has no mount-point; add one")
    return replace(
        storage,
        mount_points=mount_points,
        pool_size=values.integer(section, "pool-size", _POOL_SIZE),
        cache_objects=values.integer(section, "cache-size", _CACHE_OBJECTS),
        cache_bytes=values.byte_size(section, "cache-size-bytes", 0),
    )


def _mount_points(section: Section, values: Values) -> Iterator[str]:
    for text in section.values.get("mount-point", ()):
        # What follows a colon is the path within the database.
        if text.startswith("/"):
            yield text.partition(":")[0]
        elif not isinstance(text, Unresolved):
            values.problems.append(f"{section.where('mount-point')} must begin with a slash")


def _http_addresses(top: Section, values: Values) -> Iterator[str]:
    port_base = values.integer(top, "port-base", 0)
    for server in top.find("http-server"):
        text = server.value("address")
        if text is None or isinstance(text, Unresolved):
            continue
        try:
            host, port = inet_binding_address(text)
            yield reachable(host or top.value("ip-address") or "", port + port_base)
        except (ValueError, TypeError):  # TypeError: a host without a port
            values.problems.append(f"{server.where('address')} is not host:port; correct it")
