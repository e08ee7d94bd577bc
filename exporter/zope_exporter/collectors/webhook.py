"""What Alertmanager has delivered."""

from collections.abc import Iterator

from zope_exporter.alerting.webhook.tally import METRICS, Tally
from zope_exporter.metrics.metric import Sample


class WebhookCollector:
    """Has nothing to say where no webhook is configured."""

    name = "webhook"
    metrics = METRICS

    def __init__(self, tally: Tally | None) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Sample]:
        if self._tally is not None:
            yield from self._tally.collect()
