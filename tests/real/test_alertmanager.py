"""A real Alertmanager, the real exporter, and a way between them that cannot be relied upon."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.monitoring.alertmanager import alertmanager_with
from tests.support.monitoring.backed_up import backed_up_site
from tests.support.programs.exporter import serving
from tests.support.programs.processes import eventually
from tests.support.programs.suites import ALERTMANAGERS

TOKEN = "t0p-s3cret-0123456789abcdef"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
WHOLE = {"status", "alerts", "version", "groupKey", "receiver"}


class Way:
    """Passes each delivery on twice at once; `lossy` answers are lost, so that it comes again."""

    def __init__(self) -> None:
        self.target = ""
        self.lossy = True
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.deliveries = 0
        way = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(way.deliver(body, dict(self.headers)))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/v1/alertmanager"

    def deliver(self, body: bytes, headers: dict[str, str]) -> int:
        assert json.loads(body).keys() >= WHOLE
        self.deliveries += 1
        two = [threading.Thread(target=self._pass_on, args=(body, headers)) for _ in range(2)]
        for thread in two:
            thread.start()
        for thread in two:
            thread.join(30)
        return 503 if self.lossy or not self.target else 202

    def _pass_on(self, body: bytes, headers: dict[str, str]) -> None:
        passed = {name: headers[name] for name in ("Authorization", "Content-Type")}
        try:
            url = f"{self.target}/api/v1/alertmanager"
            answer = httpx.post(url, content=body, headers=passed, trust_env=False, timeout=30)
        except (httpx.TransportError, httpx.UnsupportedProtocol):
            return
        self.answers.append((answer.status_code, answer.json()))

    @property
    def outcomes(self) -> list[str]:
        return [told["outcome"] for _, answer in self.answers for told in answer["alerts"]]

    def __enter__(self) -> "Way":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()


@contextmanager
def alertmanager(version: str, url: str, directory: Path) -> Iterator[httpx.Client]:
    secret = directory / "am-token"
    secret.write_text(TOKEN)
    authorization = {"authorization": {"credentials_file": str(secret)}}
    hook = {"url": url, "http_config": authorization, "max_alerts": 100}
    route = {"group_wait": "1s", "group_interval": "2s", "repeat_interval": "2s"}
    config = {
        "route": {"receiver": "zope", "group_by": ["alertname", "site"], **route},
        "receivers": [{"name": "zope", "webhook_configs": [hook]}],
    }
    file = directory / "am.yml"
    file.write_text(yaml.safe_dump(config))
    with alertmanager_with(version, file, directory) as client:
        yield client


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return backed_up_site(tmp_path, TOKEN, "intranet", "client1", backup={"cooldown": "1ms"})


def _jobs(url: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/v1/jobs", headers=AUTH, trust_env=False, timeout=30)
    found: list[dict[str, Any]] = answer.json()["jobs"]
    return found


@pytest.mark.parametrize("version", ALERTMANAGERS)
def test_promise_14_an_action_runs_once_for_an_alert(
    tmp_path: Path, config: Path, version: str
) -> None:
    now = datetime.now(timezone.utc)
    labels = {"alertname": "ZopeBackupOverdue", "site": "intranet", "database": "main"}
    state, flags = tmp_path / "state", ("--config.file", config)
    fire = {
        "labels": labels,
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }
    with Way() as way, alertmanager(version, way.url, tmp_path) as client:
        client.post("/api/v2/alerts", json=[fire]).raise_for_status()
        eventually(lambda: way.deliveries >= 1)  # nobody is there yet
        with serving(state, *flags, log=tmp_path / "first.log") as running:
            way.target = running.url
            eventually(lambda: "accepted" in way.outcomes)
            eventually(lambda: _jobs(running.url)[0]["state"] == "succeeded")
            eventually(lambda: len(way.answers) >= 6)
        way.target = ""
        with serving(state, *flags, log=tmp_path / "second.log") as running:
            seen = len(way.answers)
            way.target = running.url
            eventually(lambda: len(way.answers) >= seen + 4)
            way.lossy = False
            seen = way.deliveries
            eventually(lambda: way.deliveries > seen)
            [job] = _jobs(running.url)
            assert (job["action"], job["origin"]) == ("backup", "alert ZopeBackupOverdue")
            client.post("/api/v2/alerts", json=[{**fire, "endsAt": now.isoformat()}])
            eventually(lambda: "resolved" in way.outcomes)
            assert len(_jobs(running.url)) == 1
    assert way.outcomes.count("accepted") == 1
    assert set(way.outcomes) == {"accepted", "duplicate", "resolved"}
    logs = (tmp_path / "first.log").read_text() + (tmp_path / "second.log").read_text()
    assert "s3cret" not in logs
