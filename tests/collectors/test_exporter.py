import time
from pathlib import Path

from zope_exporter.collectors.exporter import START_TIME, ExporterCollector
from zope_exporter.metrics.exposition import encode

GOLDEN = Path(__file__).with_name("golden")


def test_golden_page() -> None:
    page, _ = encode(ExporterCollector("https", "1.2.3", "3.13.0", 1_780_000_000.5).collect(), "")
    assert page.decode() == (GOLDEN / "exporter.txt").read_text()


def test_the_start_is_told_as_it_was() -> None:
    collector = ExporterCollector()
    first, second = ({s.metric: s.value for s in collector.collect()} for _ in range(2))
    assert first[START_TIME] == second[START_TIME] <= time.time()
