"""Everything that is collected, in explicit lists."""

from collections.abc import Sequence
from pathlib import Path

from zope_exporter.discovery.watcher import Watcher
from zope_exporter.logs.counters import COUNTED
from zope_exporter.logs.followed import FollowedLogs
from zope_exporter.logs.syslog.receiver import SyslogReceiver
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.maintenance.actions.catalog import ActionCatalog
from zope_exporter.metrics.registry import Registered

from .actions import ActionsCollector
from .agent import AgentCollector
from .backup import BackupCollector
from .blobs import BlobCollector
from .coverage import Coverage, CoverageCollector
from .datafs import DataFsCollector, KeptDataFsCollector
from .discovery import DiscoveryCollector
from .disks import DisksCollector
from .filestorage import FileStorageCollector
from .growth import GrowthCollector
from .logs import LogsCollector
from .ping import PingCollector
from .pipeline import PipelineCollector
from .plone import PloneCollector
from .plone_sites import PloneSitesCollector
from .process import ProcessCollector
from .syslog import SyslogCollector
from .zeo import ZeoCollector
from .zmi import ZmiCollector

RESCAN_SECONDS = 3.0


def build_passing(
    watcher: Watcher,
    logs: LogWatch,
    catalog: ActionCatalog,
    coverage: Coverage,
    datafs: DataFsCollector | KeptDataFsCollector,
    receivers: Sequence[SyslogReceiver] = (),
) -> list[Registered]:
    """Return the collectors that have all to say at once: what one look at this host takes."""
    agent = AgentCollector(watcher.inventory, FollowedLogs(logs, receivers))
    elsewhere = PloneSitesCollector(watcher.inventory)
    return [
        datafs,
        elsewhere,
        PloneCollector(agent.addons, datafs.plone_sites, elsewhere.plone_sites),
        ActionsCollector(catalog.store, catalog.configured),
        BackupCollector(catalog.plans, catalog.external, catalog.elsewhere),
        CoverageCollector(coverage),
        DiscoveryCollector(watcher),
        DisksCollector(watcher.inventory, logs.sources, catalog.plans),
        FileStorageCollector(watcher.inventory),
        PingCollector(watcher.inventory),
        PipelineCollector(watcher.inventory),
        ProcessCollector(watcher.inventory, lambda: watcher.rescan(RESCAN_SECONDS)),
        ZeoCollector(watcher.inventory),
        ZmiCollector(watcher.inventory),
        # These wait until all logs have been looked at. If they came first, that would take
        # hundreds of threads on a host of hundreds of sites.
        agent,
        LogsCollector(logs, COUNTED),
    ]


def build(
    watcher: Watcher,
    logs: LogWatch,
    catalog: ActionCatalog,
    receivers: Sequence[SyslogReceiver],
    state: Path | None,
    coverage: Coverage,
    scan_memory: int | None = None,
) -> list[Registered]:
    """Return all collectors; they read what the watcher has found at the time of each scrape.

    `state` is the state file, None to keep nothing; `scan_memory` is how many bytes of
    memory the scans of all Data.fs may take.
    """
    datafs = DataFsCollector(watcher.inventory, state, memory=scan_memory)
    return [
        *build_passing(watcher, logs, catalog, coverage, datafs, receivers),
        BlobCollector(watcher.inventory),
        GrowthCollector(watcher.inventory, state),
        SyslogCollector(receivers),
    ]
