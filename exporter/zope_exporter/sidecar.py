"""The exporter put together from its configuration."""

from .collectors import build
from .config.schema import Config, InstanceConfig, PingConfig, SiteConfig, ZeoConfig
from .discovery.declared import Declared, DeclaredService
from .discovery.memory import open_memory
from .discovery.survey import Survey
from .discovery.watcher import Watcher
from .inventory import Inventory, Target
from .metric import Metric
from .registry import Registry
from .web.limit import ScrapeLimit


class Sidecar:
    """Watches this host and can be scraped; `stop` ends the watching."""

    def __init__(self, config: Config) -> None:
        declared = [_declared(site) for site in config.sites]
        survey = Survey(open_memory(config.state_dir), declared, config.discover)
        self.watcher = Watcher(survey)
        self.limit = ScrapeLimit()
        self.registry = Registry([*build(self.watcher), self.limit])

    def stop(self) -> None:
        self.watcher.stop()


def declared_metrics() -> tuple[Metric, ...]:
    """Return every metric the exporter can expose."""
    watcher = Watcher(Inventory)
    watcher.stop()
    registry = Registry([*build(watcher), ScrapeLimit()])
    parts = [registry.metrics, *(collector.metrics for collector in registry.collectors)]
    return tuple(metric for metrics in parts for metric in metrics)


def _declared(site: SiteConfig) -> Declared:
    services = [_zope(instance) for instance in site.instances] + [_zeo(zeo) for zeo in site.zeo]
    return Declared(site.name, tuple(services), tuple(_target(ping) for ping in site.ping))


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
    )


def _zeo(zeo: ZeoConfig) -> DeclaredService:
    return DeclaredService("zeo", config=zeo.conf, address=zeo.address or "")


def _target(ping: PingConfig) -> Target:
    return Target(**ping.model_dump())
