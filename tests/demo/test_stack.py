"""The configuration of the exporter that watches the demo and all that alerts are made of."""

from pathlib import Path

from zope_exporter.demo.demo import Demo
from zope_exporter.demo.instance import Instance
from zope_exporter.demo.pace import Pace
from zope_exporter.demo.stack import stack_config, write_token
from zope_exporter.demo.traffic import Traffic


def test_a_zope_that_hangs_is_seen_within_a_scrape(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "demo", tmp_path / "demo.log", 8080, "secret")
    demo = Demo(tmp_path, instance, Traffic(instance, ()), tmp_path / "state", 1)
    [site] = stack_config(demo, write_token(tmp_path / "token")).sites
    [ping] = site.ping
    assert (ping.name, ping.url) == ("demo", "http://127.0.0.1:8080/")
    assert ping.timeout < Pace().scrape - 1
