"""The configuration in the terms of those who work by it."""

from collections.abc import Iterator

from zope_exporter.discovery.declared import Declared, DeclaredService, DeclaredZeo
from zope_exporter.discovery.inventory import Target, TlsFiles, ZmiLogin
from zope_exporter.logs.syslog.route import Route, SyslogSettings
from zope_exporter.logs.tail.sources import ExtraLog

from .logs import SyslogRouteConfig
from .schema import Config, InstanceConfig, PingConfig, SiteConfig, ZeoConfig


def declared_site(site: SiteConfig) -> Declared:
    """Return what a site of the configuration is for discovery."""
    services = [_zope(instance) for instance in site.instances]
    services += [_zeo(zeo) for zeo in site.zeo if zeo.conf]
    return Declared(
        site.name,
        tuple(services),
        tuple(_target(ping) for ping in site.ping),
        tuple(_elsewhere(zeo) for zeo in site.zeo if not zeo.conf),
    )


def extra_logs(config: Config) -> list[ExtraLog]:
    """Return the logs that the configuration adds to those which are found."""
    found = []
    for site in config.sites:
        found += [ExtraLog(site.name, log.path, "access", log.format) for log in site.logs.access]
        found += [ExtraLog(site.name, log.path, "event", log.format) for log in site.logs.event]
    return found


def syslog_settings(config: Config) -> Iterator[tuple[str, SyslogSettings]]:
    """Yield the sites that receive syslog messages, and how."""
    for site in config.sites:
        syslog = site.logs.syslog
        if syslog is not None:
            routes = _route(syslog.access), _route(syslog.event)
            mode = int(syslog.socket_mode, 8)
            yield site.name, SyslogSettings(syslog.listen, *routes, mode)


def _route(route: SyslogRouteConfig) -> Route:
    return Route(route.facility, route.tag)


def _zope(instance: InstanceConfig) -> DeclaredService:
    return DeclaredService(
        "zope",
        config=instance.zope_conf,
        wsgi_ini=instance.wsgi_ini,
        name=instance.name or "",
        data_fs=instance.data_fs,
        blob_dir=instance.blob_dir,
        access_log=instance.access_log,
        event_log=instance.event_log,
        pid_file=instance.pid_file,
        agent=instance.agent,
        zmi=ZmiLogin(**instance.zmi.model_dump()) if instance.zmi else None,
    )


def _zeo(zeo: ZeoConfig) -> DeclaredService:
    return DeclaredService(
        "zeo",
        config=zeo.conf,
        address=zeo.address or "",
        monitor_address=zeo.monitor_address or "",
        tls=_tls(zeo),
    )


def _elsewhere(zeo: ZeoConfig) -> DeclaredZeo:
    return DeclaredZeo(zeo.address or "", zeo.monitor_address or "", _tls(zeo))


def _tls(zeo: ZeoConfig) -> TlsFiles | None:
    files = zeo.ca_file, zeo.cert_file, zeo.key_file
    return TlsFiles(*files, zeo.server_hostname or "") if any(files) else None


def _target(ping: PingConfig) -> Target:
    return Target(**ping.model_dump())
