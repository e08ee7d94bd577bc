"""Samples as a page Prometheus reads: text, OpenMetrics or protobuf, as the `Accept` header asks.

prometheus-client chooses between the formats of text. Its encoders would take five times as long
for the lines, and a host of 300 sites has 60,000 of them.
"""

from collections.abc import Callable, Iterable, Iterator
from math import inf
from operator import itemgetter

from prometheus_client import exposition
from prometheus_client.utils import floatToGoString

from .metric import Metric, Sample

_PROTOBUF = "application/vnd.google.protobuf"
_DELIMITED = {"proto": "io.prometheus.client.MetricFamily", "encoding": "delimited"}
_OPENMETRICS = "application/openmetrics-text"
_TEXT = {_OPENMETRICS, "text/plain", "text/*", "*/*"}
# prometheus-client calls such a family by its name without these in OpenMetrics.
_SUFFIXES = {"counter": "_total", "info": "_info"}
_InOrder = Callable[[tuple[str, ...]], tuple[str, ...]]
_PLAIN = 1e6  # below that Python and Go write numbers alike


def encode(samples: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """Return the page and its content type; native histograms are in protobuf only."""
    if _prefers_protobuf(accept):
        from . import protobuf  # hardly anybody asks for it

        return protobuf.encode(samples), protobuf.CONTENT_TYPE
    try:
        _, content_type = exposition.choose_encoder(accept)
    except (TypeError, ValueError, IndexError):  # a version or a parameter that it cannot compare
        _, content_type = exposition.choose_encoder("")
    return "".join(_lines(samples, content_type.startswith(_OPENMETRICS))).encode(), content_type


def _prefers_protobuf(accept: str) -> bool:
    """Whether it has more weight than every text format, or as much and is asked for first."""
    if _PROTOBUF not in accept:
        return False
    weights = list(_weights(accept))
    return bool(weights) and max(weights, key=lambda wish: wish[0])[1]


def _weights(accept: str) -> Iterator[tuple[float, bool]]:
    """Yield the weight of each format that we have, and whether it is protobuf."""
    for wish in accept.split(","):
        name, *rest = (part.strip() for part in wish.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        is_protobuf = name == _PROTOBUF and _DELIMITED.items() <= parameters.items()
        weight = _weight(parameters.get("q", "1"))
        if weight > 0 and (is_protobuf or name in _TEXT):
            yield weight, is_protobuf


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if weight <= 1 else 0.0


def _lines(samples: Iterable[Sample], is_openmetrics: bool) -> Iterator[str]:
    families = _families(samples)
    for metric in sorted(families, key=_family_name):
        name, kind, text = metric.name, metric.kind, metric.help.replace("\\", r"\\")
        text = text.replace("\n", r"\n")
        if is_openmetrics:
            name, text = _family_name(metric), text.replace('"', r"\"")
        elif kind == "info":  # which the text format does not know
            kind = "gauge"
        yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        yield from families[metric]
    if is_openmetrics:
        yield "# EOF\n"


def _families(samples: Iterable[Sample]) -> dict[Metric, list[str]]:
    """The lines of each metric, which are to be together."""
    families: dict[Metric, list[str]] = {}
    formats: dict[tuple[Metric, str], tuple[str, _InOrder]] = {}
    escaped = _Escaped()
    for metric, labels, value, suffix, bound, native in samples:
        if native is not None:
            continue
        known = formats.get((metric, suffix))
        if known is None:
            known = formats[metric, suffix] = _format(metric, suffix)
            families.setdefault(metric, [])
        line, in_order = known
        limit = () if bound is None else ("+Inf" if bound == inf else repr(bound),)
        number = repr(float(value)) if -_PLAIN < value < _PLAIN else _as_go_does(value)
        families[metric].append(
            line % (*map(escaped.__getitem__, in_order((*labels, *limit))), number)
        )
    return families


def _format(metric: Metric, suffix: str) -> tuple[str, _InOrder]:
    """What a line looks like, and what puts the values of its labels in the order of the line."""
    names = (*metric.labels, "le") if suffix == "_bucket" else metric.labels
    order = sorted(range(len(names)), key=names.__getitem__)
    labels = ",".join(f'{names[place]}="%s"' for place in order)
    line = f"{metric.name}{suffix}{{{labels}}} %s\n".replace("{}", "")
    return line, itemgetter(*order) if len(order) > 1 else tuple


def _as_go_does(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


class _Escaped(dict[str, str]):
    """Values of labels as a page has them; the same ones come again and again."""

    def __missing__(self, value: str) -> str:
        text = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        self[value] = text
        return text


def _family_name(metric: Metric) -> str:
    return metric.name.removesuffix(_SUFFIXES.get(metric.kind, ""))
