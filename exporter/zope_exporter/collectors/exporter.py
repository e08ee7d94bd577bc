"""What this exporter is."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from zope_exporter import __version__
from zope_exporter.metrics.metric import Metric, Sample

INFO = Metric(
    "zope_exporter_info",
    "info",
    "Version of this exporter and of the Python it runs on.",
    ("version", "python_version"),
)


@dataclass(frozen=True)
class ExporterCollector:
    """Tells the version of the running exporter."""

    version: str = __version__
    python_version: str = platform.python_version()
    name = "exporter"
    metrics = (INFO,)

    def collect(self) -> Iterator[Sample]:
        yield INFO(version=self.version, python_version=self.python_version)
