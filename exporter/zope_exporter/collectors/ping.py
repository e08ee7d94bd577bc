"""Probing targets over HTTP: is each there, how fast, and does it say what it should."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from zope_exporter.clients.http.probe import Prober
from zope_exporter.clients.http.result import REASONS, Result
from zope_exporter.discovery.inventory import Inventory, Target
from zope_exporter.metrics.metric import Metric, Part, Sample

_TARGET = ("site", "target")

UP = Metric(
    "zope_ping_up",
    "gauge",
    "Whether the target gave the expected answer within its timeout (1) or not (0); the "
    "body is read to its end, or up to 1 MiB if nothing is expected of it.",
    _TARGET,
)
DURATION = Metric(
    "zope_ping_duration_seconds",
    "gauge",
    "Time from the beginning of the name's resolution to the last byte, or to the failure.",
    _TARGET,
)
PHASE_DURATION = Metric(
    "zope_ping_phase_duration_seconds",
    "gauge",
    "Time in each phase the probe reached, redirects added up: dns, connect, tls, first_byte "
    "(request sent until headers complete) and transfer (of the body).",
    (*_TARGET, "phase"),
)
STATUS_CODE = Metric(
    "zope_ping_status_code",
    "gauge",
    "HTTP status code of the last answer, absent without an answer.",
    _TARGET,
)
CONTENT_MATCH = Metric(
    "zope_ping_content_match",
    "gauge",
    "Whether the body was as the configuration expects (1) or not (0), absent where nothing is "
    "expected and where no whole body of at most 1 MiB, not compressed, could be compared.",
    _TARGET,
)
FAILURE = Metric(
    "zope_ping_failure",
    "gauge",
    "Whether the probe failed for this reason (1) or not (0), the first of several: connect is any "
    "failure to connect but refused, certificate any of tls that is a lack of trust.",
    (*_TARGET, "reason"),
)
CERTIFICATE_EXPIRY = Metric(
    "zope_ping_certificate_expiry_timestamp_seconds",
    "gauge",
    "Time at which the certificate of the server itself expires, also where it is not trusted.",
    _TARGET,
)


class PingCollector:
    """Probes every target of the inventory; one that does not answer is a result, no failure."""

    name = "ping"
    metrics = (
        UP,
        DURATION,
        PHASE_DURATION,
        STATUS_CODE,
        CONTENT_MATCH,
        FAILURE,
        CERTIFICATE_EXPIRY,
    )

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        probe: Callable[[Target], Result] | None = None,
    ) -> None:
        self._inventory = inventory
        self._probe = probe or Prober().probe

    def parts(self) -> Iterable[Part]:
        for site, target in self._inventory().targets():
            yield Part((site, target.name), partial(self._collect, site, target))

    def _collect(self, site: str, target: Target) -> Iterator[Sample]:
        result = self._probe(target)
        of = {"site": site, "target": target.name}
        yield UP(result.reason is None, **of)
        yield DURATION(result.seconds, **of)
        for phase, seconds in result.phases.items():
            yield PHASE_DURATION(seconds, phase=phase, **of)
        for reason in REASONS:
            yield FAILURE(reason == result.reason, reason=reason, **of)
        known = {
            STATUS_CODE: result.status,
            CONTENT_MATCH: result.content_match,
            CERTIFICATE_EXPIRY: result.certificate_expiry,
        }
        for metric, value in known.items():
            if value is not None:
                yield metric(value, **of)
