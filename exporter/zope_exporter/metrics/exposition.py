"""Samples as a page Prometheus reads: text or OpenMetrics, as the `Accept` header asks."""

from collections.abc import Iterable
from math import inf

from prometheus_client import exposition
from prometheus_client.core import Metric as Family

from .metric import Metric, Sample


def encode(samples: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """Return the page and its content type."""
    try:
        encoder, content_type = exposition.choose_encoder(accept)
    except (TypeError, ValueError, IndexError):  # a version or a parameter that it cannot compare
        encoder, content_type = exposition.choose_encoder("")
    return encoder(_Families(samples)), content_type


class _Families:
    """What prometheus-client's encoders want of a registry: the families, each in one piece."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._families: dict[Metric, Family] = {}
        for sample in samples:
            family = self._families.get(sample.metric)
            if family is None:
                family = self._families[sample.metric] = _family(sample.metric)
            labels = dict(zip(sample.metric.labels, sample.labels, strict=True))
            if sample.bound is not None:
                labels["le"] = "+Inf" if sample.bound == inf else repr(sample.bound)
            family.add_sample(sample.metric.name + sample.suffix, labels, sample.value)

    def collect(self) -> list[Family]:
        return sorted(self._families.values(), key=lambda family: family.name)


def _family(metric: Metric) -> Family:
    # prometheus-client puts these suffixes back where a format wants them in the family's name.
    suffix = {"counter": "_total", "info": "_info"}.get(metric.kind, "")
    return Family(metric.name.removesuffix(suffix), metric.help, metric.kind)
