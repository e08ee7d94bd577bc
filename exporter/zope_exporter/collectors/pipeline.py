"""Whether the access log of each Zope can be believed, from the order of its WSGI filters."""

from collections.abc import Callable, Iterator

from zope_exporter.inventory import Inventory
from zope_exporter.logfiles.pipeline import ACCESS_LOG_COMPLETE, access_log_complete
from zope_exporter.metric import Sample


class PipelineCollector:
    """Reads what discovery found in the ini files; says nothing of a Zope that has none."""

    name = "pipeline"
    metrics = (ACCESS_LOG_COMPLETE,)

    def __init__(self, inventory: Callable[[], Inventory]) -> None:
        self._inventory = inventory

    def collect(self) -> Iterator[Sample]:
        for site in self._inventory().sites:
            for service in site.services:
                complete = access_log_complete(service.pipeline_code)
                if complete is not None:
                    yield ACCESS_LOG_COMPLETE(complete, site=site.name, zope=service.name)
