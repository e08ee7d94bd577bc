"""The sites of the configuration in the terms of discovery."""

from zope_exporter.discovery.declared import Declared, DeclaredService, DeclaredZeo
from zope_exporter.discovery.inventory import Target, TlsFiles, ZmiLogin

from .schema import InstanceConfig, PingConfig, SiteConfig, ZeoConfig


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
