from pathlib import Path

from tests.support.jobs.runner import IdleRunner
from tests.support.monitoring.payloads import ago, alert, payload
from zope_exporter.alerting.webhook.handled_alerts import HandledAlerts
from zope_exporter.alerting.webhook.handler import AlertHandler
from zope_exporter.alerting.webhook.payload import parse_notification
from zope_exporter.alerting.webhook.tally import Tally
from zope_exporter.collectors.webhook import WebhookCollector
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden") / "webhook.txt"


def page(state: Path) -> str:
    tally = Tally()
    on_alert = {"ZopePackOverdue": "pack"}
    reception = AlertHandler(
        IdleRunner(), HandledAlerts(state, None), on_alert, {"Watchdog": lambda: None}
    )
    for alerts in (
        [alert(), alert("Watchdog")],
        [alert(), alert(status="resolved")],
        [alert(startsAt=ago(days=30))],
    ):
        tally.count(reception.receive(parse_notification(payload(*alerts))))
    tally.invalid()
    scrape = Registry([WebhookCollector(tally)]).scrape(30)
    assert scrape.failures == []
    samples = [sample for sample in scrape.samples if "collector" not in sample.metric.name]
    return encode(samples, "")[0].decode()


def test_golden_page(tmp_path: Path) -> None:
    assert page(tmp_path / "state.sqlite3") == GOLDEN.read_text()


def test_nothing_is_said_without_a_webhook() -> None:
    assert list(WebhookCollector(None).collect()) == []
