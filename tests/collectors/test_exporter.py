from pathlib import Path

from zope_exporter.collectors.exporter import ExporterCollector
from zope_exporter.metrics.exposition import encode

GOLDEN = Path(__file__).with_name("golden")


def test_golden_page() -> None:
    page, _ = encode(ExporterCollector("1.2.3", "3.13.0").collect(), "")
    assert page.decode() == (GOLDEN / "exporter.txt").read_text()
