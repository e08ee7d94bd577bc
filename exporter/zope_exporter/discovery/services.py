"""Zope and ZEO servers as their files describe them, and as the configuration does over that."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .candidate import LISTEN, Candidate, Source
from .conf.config_file import ConfCache
from .conf.values import instance_directory
from .conf.wsgi_ini import WsgiIni, read_wsgi_ini
from .conf.zeo_conf import ZeoConf, read_zeo_conf
from .conf.zope_conf import ZopeConf, read_zope_conf
from .inventory import Database, Service
from .looking import Looking
from .roots import seen_from_here
from .told import with_told


class ServiceReader:
    """Reads the files of services, but only those that have changed since the last time."""

    def __init__(self, looking: Looking | None = None) -> None:
        looking = looking or Looking()
        self._inis = ConfCache(_read_ini, looking)
        self._zopes = ConfCache(_read_zope, looking)
        self._zeos = ConfCache(_read_zeo, looking)

    def read(self, source: Source) -> Candidate:
        """Describe a service, without a name yet. What cannot be read is among its problems.

        Raises HangsError.
        """
        found = self._zeo(source) if source.kind == "zeo" else self._zope(source)
        if source.root is None:
            return found
        return replace(found, service=seen_from_here(found.service, source.root))

    def drop_unused(self) -> None:
        """Forget the files of services that were not asked for since the last call."""
        for cache in (self._inis, self._zopes, self._zeos):
            cache.drop_unused()

    def _zope(self, source: Source) -> Candidate:
        ini = self._inis.get(source.wsgi_ini, source)
        named = ini.content.zope_conf if ini.content else None
        config = (source.by_hand and source.config) or named or source.config
        zope = self._zopes.get(config, source)
        service = Service(
            "zope",
            name="",
            config=config,
            wsgi_ini=source.wsgi_ini,
            home=_home(config or source.wsgi_ini),
            process=source.process,
            problems=(*ini.problems, *zope.problems, *source.problems),
        )
        if zope.content:
            service = _with_conf(service, zope.content)
        if ini.content:
            service = _with_ini(service, ini.content)
        told = dict(source.variables)
        if LISTEN in told:
            service = replace(service, urls=tuple(told[LISTEN].split()), threads=None)
        debug = service.debug_mode or source.debug
        return Candidate(replace(service, debug_mode=debug), source, zope.environ)

    def _zeo(self, source: Source) -> Candidate:
        zeo = self._zeos.get(source.config, source)
        conf = zeo.content
        service = Service(
            "zeo",
            name="",
            config=source.config,
            home=_home(source.config),
            databases=conf.storages if conf else (),
            address=conf.address if conf else "",
            monitor_address=(conf and conf.monitor_address) or "",
            wants_tls=conf is not None and conf.wants_tls,
            pid_file=conf.pid_file if conf else None,
            event_log=conf.log if conf else None,
            event_log_format=conf.log_format if conf else None,
            event_log_date_format=conf.log_date_format if conf else None,
            process=source.process,
            problems=(*zeo.problems, *source.problems),
        )
        return Candidate(with_told(service, source), source, zeo.environ)


def _read_ini(path: Path, source: Source) -> WsgiIni:
    return read_wsgi_ini(path, dict(source.variables), source.directory, source.root)


def _read_zope(path: Path, source: Source) -> ZopeConf:
    zope2 = source.wsgi_ini is None
    return read_zope_conf(path, source.environ, zope2, source.directory, source.root)


def _read_zeo(path: Path, source: Source) -> ZeoConf:
    return read_zeo_conf(path, source.environ, source.directory, source.root)


def _home(config: Path | None) -> Path | None:
    return instance_directory(config) if config else None


def _with_conf(service: Service, conf: ZopeConf) -> Service:
    return replace(
        service,
        home=conf.instance_home,
        agent_home=conf.agent_home,
        urls=tuple(f"http://{address}/" for address in conf.http_addresses),
        databases=conf.databases,
        threads=conf.threads,
        debug_mode=conf.debug_mode,
        pid_file=conf.pid_file,
        access_log=conf.access_log,
        event_log=conf.event_log,
        event_log_format=conf.event_log_format,
        event_log_date_format=conf.event_log_date_format,
    )


def _with_ini(service: Service, ini: WsgiIni) -> Service:
    if ini.event_log:
        service = replace(
            service,
            event_log=ini.event_log,
            event_log_format=ini.event_log_format,
            event_log_date_format=ini.event_log_date_format,
            more_event_logs=ini.more_event_logs,
        )
    return replace(
        service,
        urls=ini.urls,
        threads=ini.threads,
        debug_mode=service.debug_mode or ini.debug_mode,
        access_log=ini.access_log or service.access_log,
        access_log_format=ini.request_format,
        pipeline=ini.pipeline,
        pipeline_code=ini.components,
    )


def process_file(given: Service) -> Path | None:
    """The file with the process id; of a Data.fs alone, the lock of whoever has it open."""
    data_fs = given.databases[0].data_fs if given.databases else None
    if given.pid_file or given.config or given.wsgi_ini or data_fs is None:
        return given.pid_file
    return data_fs.with_name(f"{data_fs.name}.lock")


def with_given(given: Service, service: Service) -> Service:
    """Return what was read with what was given by hand in its place.

    A database that is given is the main one, whatever it is called.
    """
    service = replace(
        service,
        address=given.address or service.address,
        monitor_address=given.monitor_address or service.monitor_address,
        tls=given.tls,
        access_log=given.access_log or service.access_log,
        event_log=given.event_log or service.event_log,
        pid_file=given.pid_file or service.pid_file,
        agent_socket=given.agent_socket,
        zmi=given.zmi,
    )
    if given.address:
        listening = (replace(each, zeo_servers=(given.address,)) for each in service.databases)
        service = replace(service, databases=tuple(listening))
    return _with_main(service, given.databases[0]) if given.databases else service


def _with_main(service: Service, given: Database) -> Service:
    databases = list(service.databases)
    index = _main(databases)
    if index is not None:
        main = databases[index]
        data_fs, blob_dir = given.data_fs or main.data_fs, given.blob_dir or main.blob_dir
        databases[index] = replace(main, data_fs=data_fs, blob_dir=blob_dir)
    elif given.data_fs:
        databases.append(given)
    else:
        problem = f"{service.config}: no database is mounted at /; give data_fs beside blob_dir"
        service = replace(service, problems=(*service.problems, problem))
    return replace(service, databases=tuple(databases))


def _main(databases: Sequence[Database]) -> int | None:
    """The index of the database with Zope's root; where no mount point is known, by its name."""
    roots = [i for i, database in enumerate(databases) if "/" in database.mount_points]
    named = [i for i, database in enumerate(databases) if database.name == "main"]
    return next(iter(roots + named), None)
