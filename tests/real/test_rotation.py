"""Real Zopes under load whose logs the real logrotate rotates, counted by the real exporter."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.programs.commands import Command
from tests.support.programs.debian import tool
from tests.support.programs.exporter import Running, serving
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

StartZope = Callable[..., ZopeInstance]


def rotate(log: Path, directory: Path, options: str) -> None:
    conf = directory / "logrotate.conf"
    conf.write_text(f"{log} {{\nrotate 20\n{options}\n}}\n")
    conf.chmod(0o644)
    command: Command = [
        require(tool, "logrotate"),
        "--force",
        "--state",
        directory / "state.logrotate",
        conf,
    ]
    subprocess.run(command, check=True, timeout=60)


class Visitors:
    """Requests without a pause, from `start` to `stop`; `sent` have been answered."""

    def __init__(self, url: str) -> None:
        self.sent = 0
        self._url = url
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._visit)

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, answers: int) -> None:
        eventually(lambda: self.sent > answers)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _visit(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._end.is_set():
                self.sent += client.get(self._url).status_code == httpx.codes.OK


def watching(tmp_path: Path, name: str) -> Path:
    """Return a configuration with which no probe of ours is among the requests."""
    config = tmp_path / "zope-exporter.yml"
    ping = "{name: nothing, url: 'http://127.0.0.1:1/'}"
    config.write_text(f"sites: [{{name: {name}, ping: [{ping}]}}]\n")
    return config


def counted(exporter: Running, name: str) -> float | None:
    labels = {"site": name, "log": f"{name}-access", "method": "GET", "code": "200"}
    return exporter.value("zope_http_requests_total", **labels)


def test_zope_2_reopens_at_a_signal_and_nothing_is_lost_under_load(
    zope213: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope213, "reopening")
    log = zope.home / "log/Z2.log"
    config = watching(tmp_path, "reopening")
    visitors = Visitors(zope.site.url)
    with serving(tmp_path / "state", "--config.file", config, log=tmp_path / "log") as exporter:
        eventually(lambda: counted(exporter, "reopening") == 0)
        visitors.start()
        for number in range(1, 4):
            visitors.wait_for(20 * number)
            rotate(log, tmp_path, f"create\npostrotate\nkill -USR2 {zope.pid}\nendscript")
            eventually(lambda: log.exists() and log.stat().st_size > 0)
            assert log.with_name(f"Z2.log.{number}").exists()
        visitors.stop()
        assert counted(exporter, "reopening") == visitors.sent > 60
        labels = {"site": "reopening", "log": "reopening-access"}
        assert exporter.value("zope_log_reopen_needed", **labels) == 0


def test_zope_6_is_copytruncated_and_what_is_in_any_file_is_counted(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "truncated")
    log = zope.home / "var/log/Z4.log"
    config = watching(tmp_path, "truncated")
    with serving(tmp_path / "state", "--config.file", config, log=tmp_path / "log") as exporter:
        eventually(lambda: counted(exporter, "truncated") == 0)
        answered = 0
        for _ in range(3):
            visitors = Visitors(zope.site.url)
            visitors.start()
            visitors.wait_for(20)
            # A pause, as what is written between copy and truncation is in no file.
            visitors.stop()
            answered += visitors.sent
            rotate(log, tmp_path, "copytruncate\ncompress\ndelaycompress")
        assert counted(exporter, "truncated") == answered


def test_zope_6_that_should_reopen_is_found_out_and_still_counted(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "renamed")
    config = watching(tmp_path, "renamed")
    labels = {"site": "renamed", "log": "renamed-access"}
    with serving(tmp_path / "state", "--config.file", config, log=tmp_path / "log") as exporter:
        eventually(lambda: counted(exporter, "renamed") == 0)
        assert exporter.value("zope_log_reopen_needed", **labels) == 0
        zope.site.get("/")
        rotate(zope.home / "var/log/Z4.log", tmp_path, "create")
        zope.site.get("/")
        assert counted(exporter, "renamed") == 2
        assert exporter.value("zope_log_reopen_needed", **labels) == 1
