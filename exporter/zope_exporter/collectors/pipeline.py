"""Whether the access log of each Zope can be believed, from the order of its WSGI filters."""

from collections.abc import Callable, Iterator

from zope_exporter.discovery.inventory import Inventory, Service
from zope_exporter.logs.access.pipeline import access_log_complete
from zope_exporter.metrics.metric import Metric, Sample

ACCESS_LOG_COMPLETE = Metric(
    "zope_access_log_complete",
    "gauge",
    "Whether the access log has the errors that Zope raises, such as 404, or 0 if its filter lies "
    "inside the one that answers them; exceptions without an error view are never in it.",
    ("site", "zope"),
)


class PipelineCollector:
    """Reads what discovery found in the configuration; says nothing of what it cannot know."""

    name = "pipeline"
    metrics = (ACCESS_LOG_COMPLETE,)

    def __init__(self, inventory: Callable[[], Inventory]) -> None:
        self._inventory = inventory

    def collect(self) -> Iterator[Sample]:
        for site, service in self._inventory().services():
            complete = _complete(service)
            if complete is not None:
                yield ACCESS_LOG_COMPLETE(complete, site=site, zope=service.name)


def _complete(service: Service) -> bool | None:
    if service.kind == "zope" and service.wsgi_ini is None and service.access_log is not None:
        return True  # only the server of Zope 2 is told by zope.conf to log, and that logs them all
    return access_log_complete(service.pipeline_code)
