from pathlib import Path

from tests.support.jobs.runner import IdleRunner
from tests.support.monitoring.payloads import ago, alert, payload
from zope_exporter.alerting.webhook.handler import AlertHandler, HandledAlerts
from zope_exporter.alerting.webhook.own_alerts import OwnAlerts
from zope_exporter.alerting.webhook.payload import parse_notification
from zope_exporter.collectors.webhook import WebhookCollector
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden") / "webhook.txt"


def page(state: Path) -> str:
    collector = WebhookCollector(configured=True)
    on_alert = {"ZopePackOverdue": "pack"}
    handler = AlertHandler(
        IdleRunner(),
        HandledAlerts(state, None),
        on_alert,
        {"Watchdog": lambda: None},
        OwnAlerts(["zope1:9673"]),
    )
    for alerts in (
        [alert(), alert("Watchdog")],
        [alert(), alert(status="resolved")],
        [alert(startsAt=ago(days=30))],
        [alert(labels={"instance": "zope2:9673"})],
    ):
        collector.count(handler.receive(parse_notification(payload(*alerts))))
    collector.count_invalid()
    scrape = Registry([collector]).scrape(30)
    assert scrape.failures == []
    samples = [sample for sample in scrape.samples if "collector" not in sample.metric.name]
    return encode(samples, "")[0].decode()


def test_golden_page(tmp_path: Path) -> None:
    assert page(tmp_path / "state.sqlite3") == GOLDEN.read_text()


def test_nothing_is_said_without_a_webhook() -> None:
    assert list(WebhookCollector(configured=False).collect()) == []
