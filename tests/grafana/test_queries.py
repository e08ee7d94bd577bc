"""Every query is PromQL, asks for what the exporter declares, and treats counters as counters."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring.dashboards import Json, expressions, filled, load, panels
from tests.support.monitoring.promql import declaration, selectors
from tests.support.programs.commands import run
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.alerting.dashboards.no_value import no_value
from zope_exporter.app.declarations import declared_metrics

DECLARED = {metric.name: metric for metric in declared_metrics()}
OF_COUNTERS = {"rate", "increase", "irate", "changes", "resets"}
WINDOW = re.compile(r"\[([^\]]*)\]")

# On no dashboard, and why.
LEFT_OUT = {
    "zope_backup_elsewhere": "says that nobody here watches the backups",
    "zope_backup_external": "says who makes the backups, whose age is shown",
    "zope_blob_scan_files": "progress of one walk, for whoever waits for it",
    "zope_blob_scan_timestamp_seconds": "says how fresh the sizes of blobs are; they change slowly",
    "zope_broken_products": "the products themselves are listed",
    "zope_filestorage_written_records_total": "the bytes are shown, which fill the disk",
    "zope_http_request_duration_native_seconds": "not every Prometheus asks for it",
    "zope_plone_sites": "the sites themselves are listed",
    "zope_plone_sites_read_timestamp_seconds": "says how fresh the list of sites is",
    "zope_process_workers": "as many as are configured; memory and time are those of all",
    "zope_relstorage_cache_sets_total": "hits and misses tell what the cache is worth",
    "zope_site_shared_info": "by it rules and dashboards tell one site from strangers of its name",
    "zope_zeo_client_cache_added_bytes_total": "the objects added are shown",
    "zope_zeo_client_cache_evicted_bytes_total": "follows from what is added to a full cache",
    "zope_zeo_client_cache_evictions_total": "follows from what is added to a full cache",
}

QUERIES = [
    (f"{dashboard['uid']}: {title}", expr)
    for dashboard in load()
    for title, expr in expressions(dashboard)
]


@pytest.mark.parametrize(("panel", "expr"), QUERIES)
def test_a_query_asks_for_what_there_is_and_as_it_is_meant(panel: str, expr: str) -> None:
    for series, *functions in selectors(filled(expr)):
        metric = declaration(series, DECLARED)
        if metric is not None and metric.kind in {"counter", "histogram"}:
            assert OF_COUNTERS & set(functions[:1]), f"{panel} uses the counter {series} raw"
        elif metric is not None:
            assert not {"rate", "increase", "irate"} & set(functions), f"{series} is no counter"


def test_windows_follow_the_graph_unless_they_are_meant() -> None:
    fixed = {"1m", "5m", "1h", "6h", "1d", "3d", "7d", "30d"}
    for panel, expr in QUERIES:
        for window in WINDOW.findall(expr):
            assert window in {"$__rate_interval", "$__interval"} | fixed, panel


def test_bars_count_each_event_in_one_step_which_is_longer_than_a_scrape() -> None:
    for dashboard in load():
        for panel in panels(dashboard):
            exprs = [target["expr"] for target in panel["targets"]]
            bars = panel["fieldConfig"]["defaults"].get("custom", {}).get("drawStyle") == "bars"
            assert bars == any("$__interval]" in expr for expr in exprs), panel["title"]
            assert bars == (panel.get("interval") == "2m"), panel["title"]
            assert not bars or all("rate" not in expr for expr in exprs), panel["title"]


def test_what_lasts_is_not_said_to_last_longer_than_it_was_seen() -> None:
    """Between two scrapes nobody knows whether a request or a commit goes on."""
    passing = re.compile(r"time\(\) - zope_(request|connection|zeo)_")
    assert [panel for panel, expr in QUERIES if passing.search(expr)] == []


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("max(zope_worker_threads)", "needs the agent"),
        ("zope_zeo_up", "needs ZEO"),
        ("zope_process_memory_limit_bytes", "needs a memory limit"),
        ("zope_filestorage_size_bytes", "no data"),
        ('2 * ALERTS{severity="critical"}', "none"),
        ("increase(zope_log_resets_total[5m]) > 0", "none (needs a log that is read)"),
        ("increase(zope_action_runs_total[5m]) > 0", "none"),
        ("zope_zeo_up or zope_worker_threads", "no data"),
        (
            "rate(zope_wsgi_responses_total[5m]) or rate(zope_http_requests_total[5m])",
            "needs the agent, or an access log with the errors in it",
        ),
    ],
)
def test_a_panel_without_data_says_what_is_missing(expr: str, said: str) -> None:
    assert no_value([expr]) == said


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:number_{number}", "expr": filled(expr)}
        for number, (_, expr) in enumerate(QUERIES)
    ]
    document = {"groups": [{"name": "dashboards", "rules": rules}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(document))
    promtool = require(tool, "promtool")
    run([promtool, "check", "rules", tmp_path / "rules.yml"], tmp_path / "promtool.log")


def test_every_metric_is_shown_or_left_out_on_purpose() -> None:
    shown: set[str] = set()
    for _, expr in QUERIES:
        for series, *_ in selectors(filled(expr)):
            metric = declaration(series, DECLARED)
            if metric is not None:
                shown.add(metric.name)
    assert DECLARED.keys() - shown == LEFT_OUT.keys()


def test_annotations_are_queries_too() -> None:
    annotations: list[Json] = [a for d in load() for a in d["annotations"]["list"]]
    for annotation in annotations:
        for series, *_ in selectors(filled(annotation["expr"])):
            assert series in DECLARED
