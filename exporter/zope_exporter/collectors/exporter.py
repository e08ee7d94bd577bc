"""What this exporter is, since when it runs, and how it is reached."""

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from zope_exporter import __version__
from zope_exporter.metrics.metric import Metric, Sample

INFO = Metric(
    "zope_exporter_info",
    "info",
    "Version of this exporter and of the Python it runs on; `scheme` is http or https, as it serves"
    " its pages.",
    ("version", "python_version", "scheme"),
)
START_TIME = Metric(
    "zope_exporter_start_time_seconds",
    "gauge",
    "Time this exporter was started, in seconds since the epoch.",
)


@dataclass(frozen=True)
class ExporterCollector:
    """Tells what there is to know of the running exporter."""

    scheme: str = "http"
    version: str = __version__
    python_version: str = platform.python_version()
    # Kept: what the kernel says of a process moves with the clock, and would look like a restart.
    started: float = field(default_factory=time.time)
    name = "exporter"
    metrics = (INFO, START_TIME)

    def collect(self) -> Iterator[Sample]:
        yield INFO(version=self.version, python_version=self.python_version, scheme=self.scheme)
        yield START_TIME(self.started)
