"""Zope and ZEO servers as their configuration files describe them."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from .conf.config_file import ConfCache
from .conf.wsgi_ini import WsgiIni, read_wsgi_ini
from .conf.zeo_conf import ZeoConf, read_zeo_conf
from .conf.zope_conf import ZopeConf, read_zope_conf
from .inventory import Database, Service
from .looking import Looking
from .source import Source


@dataclass(frozen=True)
class Reading:
    """A service without a name yet, and the environment variables that its files refer to."""

    service: Service
    environ: dict[str, str] = field(repr=False)


class ServiceReader:
    """Reads the files of services, but only those that have changed since the last time."""

    def __init__(self, looking: Looking | None = None) -> None:
        looking = looking or Looking()
        self._inis = ConfCache(_read_ini, looking)
        self._zopes = ConfCache(_read_zope, looking)
        self._zeos = ConfCache(_read_zeo, looking)

    def read(self, source: Source) -> Reading:
        """Describe a service; what cannot be read is among its problems, never raised."""
        if source.kind == "zeo":
            return self._zeo(source)
        return self._zope(source)

    def drop_unasked(self) -> None:
        """Forget the files of services that were not asked for since the last call."""
        for cache in (self._inis, self._zopes, self._zeos):
            cache.drop_unasked()

    def _zope(self, source: Source) -> Reading:
        ini = self._inis.get(source.wsgi_ini, source)
        config = (ini.content and ini.content.zope_conf) or source.config
        zope = self._zopes.get(config, source)
        service = Service(
            "zope",
            name="",
            config=config,
            wsgi_ini=source.wsgi_ini,
            home=_instance_directory(config or source.wsgi_ini),
            process=source.process,
            problems=(*ini.problems, *zope.problems),
        )
        if zope.content:
            service = _with_conf(service, zope.content)
        if ini.content:
            service = _with_ini(service, ini.content)
        debug = service.debug_mode or source.debug
        return Reading(replace(service, debug_mode=debug), zope.environ)

    def _zeo(self, source: Source) -> Reading:
        zeo = self._zeos.get(source.config, source)
        conf = zeo.content
        service = Service(
            "zeo",
            name="",
            config=source.config,
            home=_instance_directory(source.config),
            databases=_served(conf) if conf else (),
            address=conf.address if conf else "",
            monitor_address=(conf and conf.monitor_address) or "",
            wants_tls=conf is not None and conf.wants_tls,
            pid_file=conf.pid_file if conf else None,
            event_log=conf.log if conf else None,
            process=source.process,
            problems=zeo.problems,
        )
        return Reading(service, zeo.environ)


def _read_ini(path: Path, source: Source) -> WsgiIni:
    return read_wsgi_ini(path, dict(source.variables), source.directory)


def _read_zope(path: Path, source: Source) -> ZopeConf:
    return read_zope_conf(path, source.environ, source.wsgi_ini is None, source.directory)


def _read_zeo(path: Path, source: Source) -> ZeoConf:
    return read_zeo_conf(path, source.environ, source.directory)


def _instance_directory(config: Path | None) -> Path | None:
    if config is None:
        return None
    return config.parent.parent if config.parent.name == "etc" else config.parent


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
        )
    return replace(
        service,
        urls=ini.urls,
        threads=ini.threads,
        debug_mode=service.debug_mode or ini.debug_mode,
        access_log=ini.access_log or service.access_log,
        pipeline=ini.pipeline,
        pipeline_code=ini.components,
    )


def _served(conf: ZeoConf) -> tuple[Database, ...]:
    return tuple(
        Database(
            storage.name,
            "filestorage" if storage.data_fs else "other",
            data_fs=storage.data_fs,
            blob_dir=storage.blob_dir,
            zeo_servers=(conf.address,) if conf.address else (),
            zeo_storage=storage.name,
        )
        for storage in conf.storages
    )
