"""Alertmanager as it is shipped, and its tool."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx

from tests.alerts.cases import ALERTS
from tests.support.programs.require import require
from tests.support.programs.server import Server, free_port
from tests.support.programs.suites import of_alertmanager

CONFIG = ALERTS / "alertmanager.yml"


def amtool(*arguments: str | Path, version: str = "0.25") -> str:
    run = subprocess.run(
        [require(of_alertmanager, "amtool", version), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@contextmanager
def running_alertmanager(
    version: str, directory: Path, mail_port: int, group_wait: str = "10s"
) -> Iterator[httpx.Client]:
    """Run it with the shipped configuration; what is a page waits for `group_wait`."""
    config = shutil.copytree(ALERTS, directory / "alerts") / CONFIG.name
    text = config.read_text().replace("127.0.0.1:25", f"127.0.0.1:{mail_port}")
    for shipped in ("group_wait: 10s", "group_wait: 30s"):
        assert shipped in text
        text = text.replace(shipped, f"group_wait: {group_wait}")
    config.write_text(text)
    with alertmanager_with(version, config, directory) as client:
        yield client


@contextmanager
def alertmanager_with(version: str, config: Path, directory: Path) -> Iterator[httpx.Client]:
    """Run it with a configuration; what it keeps is in the directory."""
    address = f"127.0.0.1:{free_port()}"
    flags = [f"--config.file={config}", f"--web.listen-address={address}"]
    flags += [f"--storage.path={directory / 'am-data'}", "--cluster.listen-address="]
    program = require(of_alertmanager, "alertmanager", version)
    server = Server([program, *flags], directory / "am.log")
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        try:
            server.wait_until(lambda: _ready(client))
            yield client
        finally:
            server.end()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def fire(client: httpx.Client, alerts: Sequence[str]) -> None:
    """Tell it of alerts, each with its labels as `name=value` and separated by spaces."""
    ends = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    labels = [dict(label.split("=") for label in alert.split()) for alert in alerts]
    posted = [{"labels": each, "annotations": ANNOTATIONS, "endsAt": ends} for each in labels]
    client.post("/api/v2/alerts", json=posted).raise_for_status()


ANNOTATIONS = {"summary": "What is the matter.", "description": "More of it.", "runbook_url": "x"}
