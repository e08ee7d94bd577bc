"""Whether the access log of each Zope can be believed, from the order of its WSGI filters."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory, Service
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


def access_log_complete(components: Sequence[str]) -> bool | None:
    """Tell from the code behind the filters, the outermost first; None if none of them logs.

    The filter that logs sees an answer only if it is made further inside. Zope's own errors leave
    the application as exceptions, and httpexceptions makes answers of them.
    """
    logging = _find(components, "#translogger")
    if logging is None:
        return None
    answering = _find(components, "#httpexceptions")
    return answering is not None and logging < answering


def explain_gaps(ini: Path, pipeline: Sequence[str], components: Sequence[str]) -> str | None:
    """Say what is missing in the access log and what to write into the ini file; None if nothing.

    `pipeline` has the names as written there, `components` the code behind each.
    """
    logging = _find(components, "#translogger")
    if logging is None or access_log_complete(components):
        return None
    names = [name for number, name in enumerate(pipeline) if number != logging]
    if _find(components, "#httpexceptions") is None:
        names.insert(len(names) - 1, "egg:Zope#httpexceptions")
    order = " ".join([pipeline[logging], *names])
    return (
        "the access log misses requests that end in an error, such as 404 and 500, as they are "
        f"answered outside {pipeline[logging]} (in {ini} set pipeline = {order}, for the 404; the "
        "500 also need an answer from Zope itself: error views, or a DTML Method "
        "standard_error_message in the root, after which only Products.SiteErrorLog logs their "
        "tracebacks; then restart Zope)"
    )


def _find(components: Sequence[str], name: str) -> int | None:
    return next((n for n, code in enumerate(components) if code.endswith(name)), None)
