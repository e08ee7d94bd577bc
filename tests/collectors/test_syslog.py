from pathlib import Path

from tests.support.logs.syslog import hearing
from zope_exporter.collectors.syslog import SyslogCollector
from zope_exporter.logs.access.counter import AccessCounter
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog.counting import Counters
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden") / "syslog.txt"
REQUEST = b'<134>127.0.0.1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 230\0'


def page() -> str:
    with hearing(counters=Counters(AccessCounter(), EventCounter())) as heard:
        heard.send(REQUEST, b"<11>POSKeyError: 0x12\0", b"<30>not ours")
        heard.after(3)
        scrape = Registry([SyslogCollector([heard.receiver])]).scrape(30)
    assert scrape.failures == []
    samples = [sample for sample in scrape.samples if "collector" not in sample.metric.name]
    return encode(samples, "")[0].decode()


def test_golden_page() -> None:
    assert page() == GOLDEN.read_text()


def test_a_receiver_that_cannot_listen_is_a_failure_beside_what_was_counted() -> None:
    counters = Counters(AccessCounter(), EventCounter())
    with hearing() as first, hearing(f"udp:127.0.0.1:{first.port}", counters) as second:
        first.receiver.bound(30)
        second.failed()
        scrape = Registry([SyslogCollector([second.receiver])]).scrape(30)
    [failure] = scrape.failures
    assert "syslog intranet: syslog cannot be received at udp:127.0.0.1:" in str(failure)
    assert "zope_syslog_messages_total" in {sample.metric.name for sample in scrape.samples}


def test_nothing_is_collected_where_nothing_is_to_be_received() -> None:
    scrape = Registry([SyslogCollector([])]).scrape(30)
    assert [sample.labels for sample in scrape.samples] == [("syslog",)] * 2
