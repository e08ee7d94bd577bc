"""Selectors of series, made from the declarations so that no dashboard can name others."""

from collections.abc import Iterable, Mapping

from zope_exporter.metrics.metric import Metric

VARIABLES = ("site", "zope", "database")


class UndeclaredError(Exception):
    """A dashboard asks for a metric, or a label, that the exporter does not declare."""


class Metrics:
    """The exporter's metrics by name; calling it makes a selector.

    Each label that is a variable of the dashboards is matched with that variable, so that a query
    follows the choices at the top of the page whatever it asks for.
    """

    def __init__(self, declared: Iterable[Metric]) -> None:
        self._declared: Mapping[str, Metric] = {metric.name: metric for metric in declared}
        self.used: set[str] = set()

    def __call__(self, name: str, matcher: str = "=", **wanted: str) -> str:
        """Return a selector of the series of `name` whose labels match `wanted`.

        Raises UndeclaredError.
        """
        return self._select(self.declaration(name), name, matcher, wanted)

    def buckets(self, name: str) -> str:
        """Return a selector of the buckets of a histogram; raises UndeclaredError."""
        return self._select(self.declaration(name), f"{name}_bucket", "=", {})

    def help(self, name: str) -> str:
        """Return what the exporter says of a metric; raises UndeclaredError."""
        return self.declaration(name).help

    def declaration(self, name: str) -> Metric:
        """Return the declaration of `name`; raises UndeclaredError."""
        if name not in self._declared:
            raise UndeclaredError(f"the exporter declares no metric {name}")
        self.used.add(name)
        return self._declared[name]

    def _select(self, metric: Metric, series: str, matcher: str, wanted: Mapping[str, str]) -> str:
        if foreign := wanted.keys() - set(metric.labels):
            raise UndeclaredError(f"{metric.name} has no label {', '.join(sorted(foreign))}")
        chosen = [
            f'{label}=~"${label}"'
            for label in VARIABLES
            if label in metric.labels and label not in wanted
        ]
        given = [f'{label}{matcher}"{value}"' for label, value in wanted.items()]
        return f"{series}{{{', '.join(chosen + given)}}}"
