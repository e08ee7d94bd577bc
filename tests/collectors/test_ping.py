"""The page the ping collector makes of probes' results."""

from pathlib import Path

from zope_exporter.clients.http.result import Result
from zope_exporter.collectors.ping import PingCollector
from zope_exporter.discovery.inventory import Inventory, Site, Target
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

RESULTS = {
    "home": Result(
        0.5,
        {"dns": 0.0625, "connect": 0.0625, "tls": 0.125, "first_byte": 0.125, "transfer": 0.125},
        status=200,
        content_match=True,
        certificate_expiry=1893456000.0,
    ),
    "slow": Result(5.0, {"dns": 0.5, "connect": 0.5, "first_byte": 4.0}, "timeout"),
    "odd": Result(0.25, {"dns": 0.25}, "content", status=200, content_match=False),
}
INVENTORY = Inventory(
    (
        Site(
            "intranet",
            targets=(
                Target("home", "https://user:secret@127.0.0.1/"),
                Target("slow", "http://127.0.0.1/"),
            ),
        ),
        Site("shop", targets=(Target("odd", "http://127.0.0.1/"),)),
        Site("empty"),
    )
)


def test_golden_page() -> None:
    collector = PingCollector(lambda: INVENTORY, lambda target: RESULTS[target.name])
    samples = [sample for part in collector.parts() for sample in part.collect()]
    page, _ = encode(samples, "")
    assert page.decode() == Path(__file__).with_name("golden").joinpath("ping.txt").read_text()


def test_only_our_own_inability_is_a_failure_and_names_the_target() -> None:
    def probe(target: Target) -> Result:
        if target.name == "home":
            raise OSError("too many open files")
        return RESULTS[target.name]

    scrape = Registry([PingCollector(lambda: INVENTORY, probe)]).scrape(30)
    assert [str(failure) for failure in scrape.failures] == [
        "ping intranet/home: too many open files"
    ]
    targets = {sample.labels[1] for sample in scrape.samples if len(sample.labels) > 1}
    assert targets == {"slow", "odd"}
