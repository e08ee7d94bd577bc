"""The objective: how much of the error budget is left, and how fast it burns."""

from zope_exporter.alerting.thresholds import BURN_RATES, Limits

from .dashboard import Dashboard, Row
from .field_config import BLUE, COUNT, GREEN, ORANGE, RED, REQUESTS, YELLOW, FieldConfig, Step
from .panels import Panel, Query, series, stat
from .queries import SITE, Metrics, failure_ratio, failures, latency, requests
from .tables import Column, table

# Of what the alert fires at, the lines that are drawn.
_BURN_STEPS = (
    Step(BURN_RATES["3d"], BLUE),
    Step(BURN_RATES["1d"], YELLOW),
    Step(BURN_RATES["6h"], ORANGE),
    Step(BURN_RATES["1h"], RED),
)


def slo(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of the service level objective."""
    return Dashboard(
        "zope-slo",
        "Zope / SLO",
        f"Requests answered without a 5xx: the objective is {limits.slo:.3%} within 30 days.",
        (
            Row("Error budget", _budget(m, limits)),
            Row("Burn rate", (_burn(m, limits),)),
            Row("By site", _sites(m, limits)),
        ),
        since="now-7d",
    )


def _left(m: Metrics, limits: Limits, by: str = SITE) -> str:
    return f"1 - {failure_ratio(m, by, '30d')} / {limits.error_budget:g}"


def _left_steps(limits: Limits) -> tuple[Step, ...]:
    return Step(0, ORANGE), Step(limits.slo_budget_left, GREEN)


def _budget(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    left = FieldConfig("percentunit", _left_steps(limits), base=RED, maximum=1)
    failed = failures(m, window="30d")
    served = FieldConfig("percentunit", (Step(limits.slo, GREEN),), base=RED, decimals=3, maximum=1)
    return (
        stat(
            "Left of the budget",
            "Part of the failures allowed in 30 days that have not happened yet.",
            f"min({_left(m, limits)})",
            left,
            width=6,
            height=5,
            runbooks=("ZopeErrorBudgetBurn",),
        ),
        stat(
            f"Served, of {100 * limits.slo:g} %",
            "Part of the requests of the last 30 days that were not answered with 5xx, and the "
            "objective in the title.",
            f"1 - sum({failed}) / sum(({requests(m, window='30d')} > 0) and {failed})",
            served,
            width=6,
            height=5,
        ),
        stat(
            "Failed requests in 30 days",
            "Requests answered with 5xx within the last 30 days.",
            f"sum({failures(m, window='30d')}) * 30 * 86400",
            COUNT,
            width=6,
            height=5,
        ),
        stat(
            "p95 of the time to answer",
            m.help("zope_request_duration_seconds"),
            f"max({latency(m, 0.95)})",
            FieldConfig("s", (Step(limits.ping_slow, ORANGE),), base=GREEN),
            width=6,
            height=5,
        ),
    )


def _burn(m: Metrics, limits: Limits) -> Panel:
    queries = [
        Query(
            f"{failure_ratio(m, window=window)} / {limits.error_budget:g}",
            f"{{{{instance}}}} {{{{site}}}} {window}",
        )
        for window in BURN_RATES
    ]
    said = [f"{rate:g} over {window[:-1]} {window[-1]}" for window, rate in BURN_RATES.items()]
    pages, tickets = " and at ".join(said[:2]), " and at ".join(said[2:])
    return series(
        "Burn rate",
        "How many times faster than allowed the budget is used, over windows of different length; "
        f"at 1 it lasts exactly 30 days. Pages come at {pages}, tickets at {tickets}.",
        queries,
        FieldConfig("short", _BURN_STEPS, base=GREEN),
        top=15,
        width=24,
        height=9,
        runbooks=("ZopeErrorBudgetBurn",),
    )


def _sites(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    left = FieldConfig("percentunit", _left_steps(limits), base=RED, decimals=1)
    columns = (
        Column("Requests", f"{requests(m, window='30d')} * 30 * 86400", FieldConfig("short")),
        Column("Failed", failure_ratio(m, window="30d"), FieldConfig("percentunit", decimals=3)),
        Column("Left of the budget", _left(m, limits), left),
    )
    return (
        table(
            "Sites in the last 30 days",
            "A row for each site and the exporter that watches it; a click on a name shows that "
            "site.",
            ("site", "instance", "cluster"),
            columns,
            link=("site", "zope-overview"),
        ),
        series(
            "Failed requests",
            "Requests per second that were answered with 5xx.",
            [Query(failures(m), "{{instance}} {{site}}")],
            REQUESTS,
            width=12,
        ),
        series(
            "Part that failed",
            f"Part of the requests that were answered with 5xx; the line is the objective, "
            f"{limits.error_budget:.3%}, which 30 days may have on average.",
            [Query(failure_ratio(m), "{{instance}} {{site}}")],
            FieldConfig("percentunit", (Step(limits.error_budget, RED),), base=GREEN),
            top=2 * limits.error_budget,
            width=12,
        ),
    )
