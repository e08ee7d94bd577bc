"""The files are those of the generator, and a wrong name does not get as far as a file."""

import pytest

from tests.support.monitoring.dashboards import GRAFANA, made
from zope_exporter.alerting.dashboards.build import as_files
from zope_exporter.alerting.dashboards.queries import Metrics, UndeclaredError
from zope_exporter.metrics.metric import Metric


def test_the_files_are_what_the_generator_makes() -> None:
    kept = {path.name: path.read_text() for path in (GRAFANA / "dashboards").iterdir()}
    message = "run zope-exporter rules --dashboards grafana/dashboards alerts"
    assert kept == as_files(made()), message


def test_the_same_declarations_make_the_same_files() -> None:
    assert as_files(made()) == as_files(made())


SIZE = Metric("zope_size_bytes", "gauge", "Size.", ("site", "database", "kind"))


def test_a_selector_follows_the_variables() -> None:
    metrics = Metrics([SIZE])
    every = 'cluster=~"$cluster", job=~"$job", instance=~"$instance"'
    expected = f'zope_size_bytes{{{every}, site=~"$site", database=~"$database", kind="full"}}'
    assert metrics("zope_size_bytes", kind="full") == expected
    assert (
        metrics("zope_size_bytes", site="a")
        == f'zope_size_bytes{{{every}, database=~"$database", site="a"}}'
    )
    assert metrics.used == {"zope_size_bytes"}


def test_what_is_not_declared_is_refused() -> None:
    with pytest.raises(UndeclaredError, match="zope_sizes_bytes"):
        Metrics([SIZE])("zope_sizes_bytes")
    with pytest.raises(UndeclaredError, match="zope_size_bytes has no label kinds"):
        Metrics([SIZE])("zope_size_bytes", kinds="full")
