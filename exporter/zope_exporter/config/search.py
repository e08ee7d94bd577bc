"""Searching this host as the configuration has it: once, or again and again."""

from collections.abc import Iterator
from contextlib import contextmanager

from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Service,
    Site,
    Target,
    TlsFiles,
    ZeoServer,
    ZmiLogin,
)
from zope_exporter.discovery.memory import Memory, open_memory
from zope_exporter.discovery.survey import Survey
from zope_exporter.discovery.watcher import Watcher
from zope_exporter.system.state_look import state_to_look_at

from .schema import Config, InstanceConfig, SiteConfig, ZeoConfig


def search(config: Config, timeout: float) -> Inventory:
    """Search this host once; what is found is not remembered.

    Raises TimeoutError or SearchError if that does not end well within `timeout` seconds.
    """
    with _memory(config) as memory:
        watcher = watch(config, memory)
        try:
            return searched(watcher, timeout)
        finally:
            watcher.stop()


@contextmanager
def _memory(config: Config) -> Iterator[Memory]:
    """Give what was found before; where nothing but the configuration counts, it is not asked."""
    if not config.discover:
        yield Memory(None, None)
        return
    with state_to_look_at(config.state_dir) as (state, problem):
        yield Memory(state, problem)


def searched(watcher: Watcher, timeout: float) -> Inventory:
    """Return what the first search finds; raises as `search` does, with what keeps it."""
    try:
        return watcher.first(timeout)
    except TimeoutError:
        watcher.check(longest=0)  # says what keeps it
        raise


def watch(config: Config, memory: Memory | None = None) -> Watcher:
    """Begin to search this host in the background, by default with the memory of its exporter."""
    declared = [declared_site(site) for site in config.sites]
    survey = Survey(memory or open_memory(config.state_dir), declared, config.discover)
    return Watcher(survey, looking=survey.looking)


def declared_site(site: SiteConfig) -> Site:
    """Return a site with nothing but what is given by hand, for discovery to put over the rest."""
    zopes = [_zope(instance) for instance in site.instances]
    servers = [_zeo(zeo) for zeo in site.zeo if zeo.conf]
    elsewhere = [
        ZeoServer("", zeo.address, tls=_tls(zeo), monitor=zeo.monitor_address or "")
        for zeo in site.zeo
        if zeo.address and not zeo.conf
    ]
    targets = tuple(Target(**ping.model_dump()) for ping in site.ping)
    shared_by = "declared" if site.spans_hosts else ""
    return Site(
        site.name, (*zopes, *servers), targets=targets, zeo=tuple(elsewhere), shared_by=shared_by
    )


def _zope(instance: InstanceConfig) -> Service:
    main = Database("main", "filestorage", data_fs=instance.data_fs, blob_dir=instance.blob_dir)
    return Service(
        "zope",
        instance.name or "",
        instance.zope_conf,
        instance.wsgi_ini,
        databases=(main,) if instance.data_fs or instance.blob_dir else (),
        access_log=instance.access_log,
        event_log=instance.event_log,
        pid_file=instance.pid_file,
        agent_socket=instance.agent,
        zmi=ZmiLogin(**instance.zmi.model_dump()) if instance.zmi else None,
    )


def _zeo(zeo: ZeoConfig) -> Service:
    return Service(
        "zeo",
        "",
        zeo.conf,
        address=zeo.address or "",
        monitor_address=zeo.monitor_address or "",
        tls=_tls(zeo),
    )


def _tls(zeo: ZeoConfig) -> TlsFiles | None:
    files = zeo.ca_file, zeo.cert_file, zeo.key_file
    return TlsFiles(*files, zeo.server_hostname or "") if any(files) else None
