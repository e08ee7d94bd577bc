"""Samples as a page Prometheus reads: text or OpenMetrics, as the `Accept` header asks.

prometheus-client chooses the format. Its encoders would take five times as long for the lines, and
a host of 300 sites has 60,000 of them.
"""

from collections.abc import Iterable, Iterator
from math import inf

from prometheus_client import exposition
from prometheus_client.utils import floatToGoString

from .metric import Metric, Sample

_OPENMETRICS = "application/openmetrics-text"
# prometheus-client calls such a family by its name without these in OpenMetrics.
_SUFFIXES = {"counter": "_total", "info": "_info"}
_PLAIN = 1e6  # below that Python and Go write numbers alike


def encode(samples: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """Return the page and its content type."""
    try:
        _, content_type = exposition.choose_encoder(accept)
    except (TypeError, ValueError, IndexError):  # a version or a parameter that it cannot compare
        _, content_type = exposition.choose_encoder("")
    return "".join(_lines(samples, content_type.startswith(_OPENMETRICS))).encode(), content_type


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
    formats: dict[tuple[Metric, str], tuple[str, list[int]]] = {}
    escaped = _Escaped()
    for metric, labels, value, suffix, bound in samples:
        known = formats.get((metric, suffix))
        if known is None:
            known = formats[metric, suffix] = _format(metric, suffix)
            families.setdefault(metric, [])
        of, order = known
        limit = () if bound is None else ("+Inf" if bound == inf else repr(bound),)
        given = (*labels, *limit)
        values = [escaped[given[place]] for place in order]
        number = repr(float(value)) if -_PLAIN < value < _PLAIN else _as_go_does(value)
        families[metric].append(of % (*values, number))
    return families


def _format(metric: Metric, suffix: str) -> tuple[str, list[int]]:
    """What a line looks like, and where among its labels those of the line are, in their order."""
    names = (*metric.labels, "le") if suffix == "_bucket" else metric.labels
    order = sorted(range(len(names)), key=names.__getitem__)
    labels = ",".join(f'{names[place]}="%s"' for place in order)
    return f"{metric.name}{suffix}{{{labels}}} %s\n".replace("{}", ""), order


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
