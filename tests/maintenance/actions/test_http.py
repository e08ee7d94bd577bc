"""The same actions over HTTP: begun by a token, run as jobs, ended with the exporter."""

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.databases.maintained import TOKEN, Host, SlowServer, write_token
from tests.support.databases.repository import restored
from tests.support.programs.exporter import DEADLINE, Running, serving
from tests.support.programs.processes import eventually
from zope_exporter.maintenance.jobs.store import JobStore


def ask(exporter: Running, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """The status and the content of an answer."""
    answer = httpx.request(
        method,
        f"{exporter.url}/api/v1/{path}",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=DEADLINE,
        trust_env=False,
    )
    return answer.status_code, answer.json()


def ended(exporter: Running, number: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        _, job = ask(exporter, "GET", f"jobs/{number}")
        return job if job["ended"] else None

    job = eventually(look, DEADLINE)
    assert job is not None
    return job


def test_a_backup_over_http_restores_and_the_cooldown_is_kept(tmp_path: Path) -> None:
    host = Host(tmp_path)
    log = tmp_path / "log"
    with serving(tmp_path, "--config.file", host.config, log=log) as exporter:
        status, job = ask(exporter, "POST", "actions/backup", {"site": "intranet"})
        assert status == 202
        done = ended(exporter, job["id"])
        assert (done["state"], done["result"]["kind"]) == ("succeeded", "full")
        assert done["origin"].startswith("token ")
        status, refusal = ask(exporter, "POST", "actions/backup", {})
        assert (status, refusal["code"]) == (409, "cooldown")
        labels = {"site": "intranet", "database": "main", "action": "backup"}
        assert exporter.value("zope_action_runs_total", **labels) == 1
    assert restored(host.repository, tmp_path / "restored.fs") == host.data_fs.read_bytes()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_no_job_is_lost_when_the_exporter_ends(tmp_path: Path, end: signal.Signals) -> None:
    write_token(tmp_path / "token")
    with SlowServer(tmp_path) as server:
        config = tmp_path / "config.yml"
        config.write_text(
            f"discover: false\nsites: [{{name: intranet, {server.site}}}]\n"
            "actions: {token_file: token, pack: {days: 0}}\n"
        )
        with serving(tmp_path, "--config.file", config, log=tmp_path / "log") as exporter:
            status, job = ask(exporter, "POST", "actions/pack", {})
            assert status == 202
            eventually(lambda: server.packs("started..."), DEADLINE)
            exporter.process.send_signal(end)
            assert exporter.process.wait(DEADLINE) == (0 if end == signal.SIGTERM else -end)
        with serving(tmp_path, "--config.file", config, log=tmp_path / "log") as exporter:
            found = ended(exporter, job["id"])
            assert found["state"] == "interrupted"
            assert found["code"] == ("stopped" if end == signal.SIGTERM else "died")
            said = " ".join([found["error"], *found["log"]])
            assert "continues" in said
            assert ask(exporter, "POST", "actions/pack", {})[1]["code"] == "cooldown"
        server.go_on()
        assert server.packs("complete") == 1
    assert len(JobStore(tmp_path / "state.sqlite3").jobs()) == 1
