import re
import time
from pathlib import Path

from zope_exporter.alerting.watchdog.notifier import DeliveryError, Message
from zope_exporter.alerting.watchdog.timer import Watchdog, WatchdogStore
from zope_exporter.collectors.watchdog import WatchdogCollector
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden") / "watchdog.txt"


def _fail(_: Message) -> None:
    raise DeliveryError("nobody is there")


def page() -> str:
    now = 0.0
    channels = {"mail": lambda _: None, "url": _fail}
    watchdog = Watchdog(900, 3600, channels, WatchdogStore(None), lambda: now)
    watchdog.heard()
    now = 900.0
    watchdog.step()
    scrape = Registry([WatchdogCollector(watchdog)]).scrape(30)
    assert scrape.failures == []
    samples = [sample for sample in scrape.samples if "collector" not in sample.metric.name]
    return encode(samples, "")[0].decode()


def test_golden_page() -> None:
    text, (_, seen) = page(), ("", time.time())
    found = re.search(r"(?m)^zope_watchdog_last_seen_timestamp_seconds (\S+)$", text)
    assert found
    assert abs(float(found[1]) - seen) < 60
    assert text.replace(found[1], "NOW") == GOLDEN.read_text()


def test_nothing_is_said_without_a_timer() -> None:
    assert list(WatchdogCollector(None).collect()) == []
