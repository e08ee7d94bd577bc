"""The demo's Prometheus and Alertmanager read the shipped files, with other addresses and times."""

from pathlib import Path

import pytest
import yaml

from tests.support.programs.commands import run
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.demo.alerting import Addresses, Pace, write_configuration

ADDRESSES = Addresses("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4")


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    token = tmp_path / "token"
    token.write_text("secret\n")
    return write_configuration(tmp_path / "stack", ADDRESSES, token, Pace(scrape=2, group=3))


def test_promtool_and_amtool_accept_them(written: tuple[Path, Path], tmp_path: Path) -> None:
    prometheus, alertmanager = written
    run([require(tool, "promtool"), "check", "config", prometheus], tmp_path / "promtool.log")
    run([require(tool, "amtool"), "check-config", alertmanager], tmp_path / "amtool.log")


def test_addresses_and_times_are_the_demos(written: tuple[Path, Path]) -> None:
    prometheus, alertmanager = (yaml.safe_load(path.read_text()) for path in written)
    [job] = prometheus["scrape_configs"]
    assert job["scrape_interval"] == "2s"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:1"]}]
    [alertmanagers] = prometheus["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["127.0.0.1:3"]}]
    assert alertmanager["global"]["smtp_smarthost"] == "127.0.0.1:4"
    assert {route["group_wait"] for route in alertmanager["route"]["routes"]} == {"3s"}
    hooks = [hook for r in alertmanager["receivers"] for hook in r.get("webhook_configs", ())]
    assert {hook["url"] for hook in hooks} == {"http://127.0.0.1:1/api/v1/alertmanager"}


def test_nothing_is_slower_than_shipped(tmp_path: Path) -> None:
    pace = Pace(scrape=30, group=None, day=86400, thresholds={})
    file, _ = write_configuration(tmp_path / "stack", ADDRESSES, tmp_path / "token", pace)
    written = yaml.safe_load(file.read_text())
    shipped = yaml.safe_load((Path(__file__).parents[2] / "alerts/prometheus.yml").read_text())
    assert written["global"] == shipped["global"]
    [job], [of_ours] = written["scrape_configs"], shipped["scrape_configs"]
    assert job["scrape_interval"] == of_ours["scrape_interval"]
    assert job["scrape_timeout"] == of_ours["scrape_timeout"]


def test_all_rules_are_there_with_shorter_waits(written: tuple[Path, Path]) -> None:
    rules = (written[0].parent / "rules/zope.yml").read_text()
    shipped = (Path(__file__).parents[2] / "alerts/rules/zope.yml").read_text()
    alerts = [line for line in shipped.splitlines() if "alert:" in line]
    assert [line for line in rules.splitlines() if "alert:" in line] == alerts
    assert "for: 20s" in rules


def test_windows_shrink_with_the_day_but_not_below_a_few_scrapes() -> None:
    pace = Pace(scrape=5, day=864)
    hurried = pace.hurry("rate(errors[5m]) > 2 * avg_over_time(errors[1d]) offset 7d for 15m")
    assert hurried == "rate(errors[20s]) > 2 * avg_over_time(errors[864s]) offset 6048s for 15m"


def test_the_token_is_named_and_not_copied(written: tuple[Path, Path]) -> None:
    assert "secret" not in written[1].read_text()
