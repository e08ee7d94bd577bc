"""Every metric we declare keeps Prometheus' manners, and every collector is complete."""

import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest

from zope_exporter import collectors
from zope_exporter.metric import Metric
from zope_exporter.sidecar import declared_metrics, idle_registry

TESTS = Path(__file__).parent / "collectors"
FORBIDDEN_LABELS = {"instance", "job", "env", "type", "le", "quantile"}
UNITS = {"seconds", "bytes", "ratio", "total", "info"}
NOT_BASE_UNITS = {"ms", "milliseconds", "minutes", "hours", "days", "kb", "mb", "gb", "percent"}

METRICS = declared_metrics()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_name_kind_help_and_labels(metric: Metric) -> None:
    assert re.fullmatch(r"zope(_[a-z0-9]+)+", metric.name)
    words = metric.name.split("_")
    assert (words[-1] == "total") == (metric.kind == "counter")
    assert (words[-1] == "info") == (metric.kind == "info")
    assert not NOT_BASE_UNITS & set(words)
    units = [word for word in words if word in UNITS]
    assert words[len(words) - len(units) :] == units, "units come last"
    assert words[-1] != "timestamp", "a point in time is a _timestamp_seconds"
    assert re.fullmatch(r"[A-Z`].*\.", metric.help)
    assert "\n" not in metric.help
    assert not FORBIDDEN_LABELS & set(metric.labels)
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric.labels)


def test_every_name_is_declared_once() -> None:
    assert [name for name, count in Counter(m.name for m in METRICS).items() if count > 1] == []


MODULES = [module.name for module in pkgutil.iter_modules(collectors.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_collector_is_built_tested_and_has_a_golden_page(name: str) -> None:
    built = [collector.name for collector in idle_registry().collectors]
    assert name in built, f"add {name} to build() in collectors/__init__.py"
    assert (TESTS / f"test_{name}.py").is_file()
    assert list((TESTS / "golden").glob(f"{name}*.txt"))
