"""What queries of rules and dashboards ask for, from their syntax."""

from collections.abc import Iterator

import promql_parser

from zope_exporter.metrics.metric import Metric

# What Prometheus itself says of targets and alerts.
OF_PROMETHEUS = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"}


def selectors(expr: str) -> Iterator[tuple[str, ...]]:
    """The name of each selected series with the functions around it, the innermost first.

    Raises ValueError if it is no PromQL.
    """
    return _selectors(promql_parser.parse(expr), ())


def _selectors(expr: promql_parser.Expr, within: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(expr, promql_parser.VectorSelector):
        yield (expr.name or "", *within)
    elif isinstance(expr, promql_parser.MatrixSelector):
        yield (expr.vector_selector.name or "", *within)
    elif isinstance(expr, promql_parser.Call):
        for argument in expr.args:
            yield from _selectors(argument, (expr.func.name, *within))
    elif isinstance(expr, promql_parser.BinaryExpr):
        yield from _selectors(expr.lhs, within)
        yield from _selectors(expr.rhs, within)
    elif isinstance(
        expr,
        promql_parser.AggregateExpr
        | promql_parser.ParenExpr
        | promql_parser.SubqueryExpr
        | promql_parser.UnaryExpr,
    ):
        yield from _selectors(expr.expr, within)


def declaration(series: str, declared: dict[str, Metric]) -> Metric | None:
    """The declaration behind a series, None for those of Prometheus itself; KeyError if neither."""
    if series in OF_PROMETHEUS:
        return None
    return declared[series.removesuffix("_bucket")]
