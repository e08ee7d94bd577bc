"""Prometheus itself reads what we serve."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.programs.debian import tool
from tests.support.programs.exporter import serving
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.programs.server import Server, free_port
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

SHIPPED = Path(__file__).parents[2] / "alerts/prometheus.yml"


@pytest.fixture
def prometheus() -> Path:
    return require(tool, "prometheus")


@pytest.fixture
def promtool() -> Path:
    return require(tool, "promtool")


def test_prometheus_scrapes_a_real_zope(
    agent63: Environment, start_zope: Callable[..., ZopeInstance], prometheus: Path, tmp_path: Path
) -> None:
    start_zope(agent63, "scraped")
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        config = tmp_path / "prometheus.yml"
        target = exporter.url.removeprefix("http://")
        shipped = SHIPPED.read_text().replace("127.0.0.1:9673", target)
        shipped = shipped.replace("rules/zope.yml", f"{SHIPPED.parent}/rules/zope.yml")
        shipped = shipped.replace("evaluation_interval: 15s", "evaluation_interval: 2s")
        config.write_text(shipped.replace("scrape_interval: 30s", "scrape_interval: 10s"))
        address = f"127.0.0.1:{free_port()}"
        flags = (f"--config.file={config}", f"--web.listen-address={address}")
        server = Server(
            [prometheus, *flags, f"--storage.tsdb.path={tmp_path / 'tsdb'}"], tmp_path / "log"
        )

        def query(expression: str) -> float | None:
            try:
                answer = httpx.get(
                    f"http://{address}/api/v1/query", params={"query": expression}, trust_env=False
                )
            except httpx.TransportError:
                return None
            if answer.status_code == 503:  # it has not read its files yet
                return None
            found = json.loads(answer.text)["data"]["result"]
            return float(found[0]["value"][1]) if found else None

        try:
            eventually(lambda: query("up{job='zope'}") == 1)
            assert query("zope_process_up{zope='scraped'}") == 1
            assert query("zope_ping_up{target='scraped'}") == 1
            assert query("zope_filestorage_size_bytes{site='scraped', database='main'}")
            bucket = "zope_request_duration_seconds_bucket{zope='scraped', le='%s'}"
            assert query(bucket % "60.0") == query(bucket % "+Inf") == query(bucket % "120.0")
            assert query(bucket % "1.0") is not None
            # Other Zopes of this host are seen as well, and may end in the middle of a scrape.
            eventually(lambda: query("min(zope_collector_success)") == 1)
            eventually(lambda: all_evaluated(f"http://{address}"))
            (watchdog,) = eventually(lambda: alerts(f"http://{address}", "ZopeWatchdog"))
            page = httpx.get(watchdog["annotations"]["runbook_url"], trust_env=False)
            assert "<h1>ZopeWatchdog</h1>" in page.text
        finally:
            server.end()


def all_evaluated(prometheus: str) -> bool:
    """Whether every rule was, on what a real exporter tells; AssertionError at one that cannot."""
    groups = httpx.get(f"{prometheus}/api/v1/rules", trust_env=False).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
    return bool(rules) and all(rule["health"] == "ok" for rule in rules)


def alerts(prometheus: str, name: str) -> list[dict[str, Any]]:
    """Those of a name, when their annotations point to an exporter that has been scraped."""
    found = httpx.get(f"{prometheus}/api/v1/alerts", trust_env=False).json()["data"]["alerts"]
    named = [alert for alert in found if alert["labels"]["alertname"] == name]
    return [a for a in named if a["annotations"]["runbook_url"].startswith("http")]


def test_promtool_has_nothing_to_say_about_the_page(
    agent63: Environment, start_zope: Callable[..., ZopeInstance], promtool: Path, tmp_path: Path
) -> None:
    start_zope(agent63, "linted")
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: exporter.value("zope_agent_up", site="linted", zope="linted") == 1)
        page = httpx.get(f"{exporter.url}/metrics", trust_env=False).text
    run = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""


def test_promtool_accepts_the_shipped_configuration(promtool: Path) -> None:
    run = subprocess.run(
        [promtool, "check", "config", SHIPPED], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
