"""The files are those of the generator, and a wrong name does not get as far as a file."""

import pytest

from grafana.generator.build import files
from grafana.generator.metrics import Metrics, UndeclaredError
from tests.support.dashboards import GRAFANA
from zope_exporter.metric import Metric


def test_the_files_are_what_the_generator_makes() -> None:
    made = files()
    kept = {
        str(path.relative_to(GRAFANA)): path.read_text()
        for directory in ("dashboards", "grafana.com")
        for path in (GRAFANA / directory).iterdir()
    }
    assert kept == made, "run python -m grafana.generator"


def test_the_same_declarations_make_the_same_files() -> None:
    assert files() == files()


SIZE = Metric("zope_size_bytes", "gauge", "Size.", ("site", "database", "kind"))


def test_a_selector_follows_the_variables() -> None:
    metrics = Metrics([SIZE])
    expected = 'zope_size_bytes{site=~"$site", database=~"$database", kind="full"}'
    assert metrics("zope_size_bytes", kind="full") == expected
    assert (
        metrics("zope_size_bytes", site="a") == 'zope_size_bytes{database=~"$database", site="a"}'
    )
    assert metrics.used == {"zope_size_bytes"}


def test_what_is_not_declared_is_refused() -> None:
    with pytest.raises(UndeclaredError, match="zope_sizes_bytes"):
        Metrics([SIZE])("zope_sizes_bytes")
    with pytest.raises(UndeclaredError, match="zope_size_bytes has no label kinds"):
        Metrics([SIZE])("zope_size_bytes", kinds="full")
