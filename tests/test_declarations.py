"""Metrics keep Prometheus' manners, collectors are complete, the actions are listed once."""

import ast
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from zope_exporter import collectors
from zope_exporter.app.declarations import declared_metrics, idle_registry
from zope_exporter.cli.main import main
from zope_exporter.config.actions import ACTIONS, BACKUP, PACK, VERIFY, ActionSettings
from zope_exporter.metrics.metric import Metric
from zope_exporter.system.resources import PACKAGE
from zope_exporter.web.tokens import PERMISSIONS

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


def test_the_actions_are_those_of_one_enumeration() -> None:
    assert ACTIONS == (PACK, BACKUP, VERIFY)
    assert set(ACTIONS) == set(ActionSettings.model_fields)
    assert set(ACTIONS) < set(PERMISSIONS)
    assert set(ACTIONS) < main.commands.keys()


def test_no_other_module_names_the_actions() -> None:
    others = set(PACKAGE.rglob("*.py")) - {PACKAGE / "config/actions.py"}
    assert not {str(file.relative_to(PACKAGE)) for file in others if any(_named(file))}


def _named(file: Path) -> Iterator[ast.expr]:
    """Yield where a module compares with the name of an action, or lists them for itself."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Compare):
            yield from (each for each in (node.left, *node.comparators) if _is_action(each))
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            yield from list(filter(_is_action, node.elts))[1:]


def _is_action(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in ACTIONS
