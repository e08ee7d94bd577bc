"""The shipped units under a systemd that has booted, beside a Zope that runs."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.databases.maintained import TOKEN
from tests.support.programs.booted import Booted
from tests.support.programs.deployed import DEPLOY, EXPORTER, REPOSITORY, URL, commit, deployed
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.environments import environment

ACTIONS = ("backup", "verify", "pack")
MAIN = {"site": "zope", "database": "main"}
DEADLINE = 60.0

T = TypeVar("T")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Where Zope runs and the exporter is started."""
    zope = require(environment, "zope63")
    root = tmp_path_factory.mktemp("host") / "root"
    with ExitStack() as ending:
        host = require(ending.enter_context, deployed(root, zope))
        host.systemctl("start", "zope-exporter.service")
        until(host, lambda: host.ask(f"{URL}/-/ready")[0] == 200)
        yield host


def until(host: Booted, look: Callable[[], T]) -> T:
    """What `look` gives once that is true; AssertionError with the journal if it never is."""
    try:
        return eventually(look, DEADLINE)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{host.journal()}") from None


def value(host: Booted, name: str, **labels: str) -> float | None:
    """What one series of a scrape tells; None if it is absent."""
    _, text = host.ask(f"{URL}/metrics")
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def api(host: Booted, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body)
    status, text = host.ask(f"{URL}/api/v1/{path}", data, headers)
    return status, json.loads(text)


def ended(host: Booted, number: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        _, job = api(host, f"jobs/{number}")
        return job if job["ended"] else None

    job = until(host, look)
    assert job is not None
    return job


def backed_up(host: Booted) -> None:
    if not any((host.root / REPOSITORY).iterdir()):
        host.systemctl("start", "zope-exporter-backup.service")


def test_the_exporter_finds_zope_and_speaks_to_its_agent(host: Booted) -> None:
    assert until(host, lambda: value(host, "zope_process_up", site="zope") == 1)
    assert value(host, "zope_collector_success", collector="discovery") == 1
    assert value(host, "zope_agent_up", site="zope") == 1
    assert value(host, "zope_cache_target_objects", **MAIN)
    assert until(host, lambda: value(host, "zope_ping_up", site="zope") == 1)
    assert value(host, "zope_filestorage_size_bytes", **MAIN)
    for source in ("access_log", "event_log"):
        assert value(host, "zope_source_watched", site="zope", source=source) == 1
    status, page = host.ask(f"{URL}/")
    assert status == 200
    assert "zope" in page


def test_every_collector_succeeds(host: Booted) -> None:
    _, text = host.ask(f"{URL}/metrics")
    success = {
        sample.labels["collector"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "zope_collector_success"
    }
    assert {name for name, value in success.items() if value != 1} == set(), host.journal()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_over_http_succeeds(host: Booted, action: str) -> None:
    if action != "backup":
        backed_up(host)
    status, job = api(host, f"actions/{action}", MAIN)
    assert status == 202, job
    done = ended(host, job["id"])
    assert (done["state"], done["error"]) == ("succeeded", "")
    assert list((host.root / REPOSITORY).glob("*.manifest"))
    assert value(host, "zope_action_failures_total", **MAIN, action=action) == 0


@pytest.mark.parametrize("action", ACTIONS)
def test_a_unit_of_a_timer_does_its_work(host: Booted, action: str) -> None:
    if action != "backup":
        backed_up(host)
    unit = f"zope-exporter-{action}.service"
    host.systemctl("start", unit)  # returns when it has ended
    found = host.properties(unit, "Result", "ExecMainStatus")
    assert found == {"Result": "success", "ExecMainStatus": "0"}
    assert host.journal(f"--unit={unit}", "--priority=warning").strip() in ("", "-- No entries --")
    runs = value(host, "zope_action_last_success_timestamp_seconds", **MAIN, action=action)
    assert runs is not None


@pytest.mark.parametrize("action", ACTIONS)
def test_a_timer_waits_for_its_time(host: Booted, action: str) -> None:
    timer = f"zope-exporter-{action}.timer"
    host.systemctl("enable", "--now", timer)
    found = host.properties(timer, "ActiveState", "Unit", "NextElapseUSecRealtime")
    assert found["ActiveState"] == "active"
    assert found["Unit"] == f"zope-exporter-{action}.service"
    assert found["NextElapseUSecRealtime"]
    assert timer in host.systemctl("list-timers")


TRIED = """\
import ctypes, mmap, os, resource, socket, sys

def works(act):
    try:
        act()
    except OSError:
        return False
    return True

def unshare():
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError

def lower_priority():
    os.setpriority(os.PRIO_PROCESS, 0, 15)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

forbidden = {
    "writing to /etc": lambda: open("/etc/zope-exporter/written", "w"),
    "writing to /srv": lambda: open("/srv/zope/written", "w"),
    "packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM),
    "giving away a file": lambda: os.chown("/dev/null", -1, -1),
    "a namespace": unshare,
    "code in memory": lambda: mmap.mmap(-1, 4096, prot=7),
}
needed = {
    "a lower priority": lower_priority,
    "listening sockets": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4),
    "a lower limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    "processes of others": lambda: os.stat("/proc/1"),
}
wrong = [what for what, act in forbidden.items() if works(act)]
wrong += [what for what, act in needed.items() if not works(act)]
sys.exit(f"otherwise than it should be: {wrong}" if wrong else 0)
"""

INSTEAD = """\
[Service]
Type=oneshot
Restart=no
ExecStart=
ExecStart=/opt/zope-exporter/bin/python /opt/tried.py
"""


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda unit: unit.stem)
def test_the_sandbox_forbids_all_but_what_is_needed(host: Booted, unit: Path) -> None:
    """Were it not in force, all of the above would only show that a program runs."""
    (host.root / "opt/tried.py").write_text(TRIED)
    units = host.root / "etc/systemd/system"
    (units / f"tried-{unit.name}").write_text(unit.read_text())
    instead = units / f"tried-{unit.name}.d"
    instead.mkdir()
    (instead / "instead.conf").write_text(INSTEAD)
    host.systemctl("daemon-reload")
    host.systemctl("start", f"tried-{unit.name}")


def test_a_file_that_nobody_has_open_is_packed_where_that_was_allowed(host: Booted) -> None:
    backed_up(host)
    commit(host)
    unit = "zope-exporter-pack.service"
    data_fs = host.root / "srv/zope/var/Data.fs"
    path = host.root / "etc/systemd/system" / unit
    as_shipped = path.read_text()
    path.write_text(as_shipped.replace("#ReadWritePaths=", "ReadWritePaths="))
    host.systemctl("daemon-reload")
    host.systemctl("stop", "zope.service")
    try:
        until(host, lambda: value(host, "zope_process_up", site="zope") == 0)
        packed = data_fs.stat().st_ino
        host.systemctl("start", unit)
        assert host.properties(unit, "Result") == {"Result": "success"}
        assert data_fs.with_name("Data.fs.old").stat().st_ino == packed
    finally:
        path.write_text(as_shipped)
        host.systemctl("daemon-reload")
        host.systemctl("start", "zope.service")


def test_a_backup_is_restored_by_hand(host: Booted) -> None:
    backed_up(host)
    program = f"/{EXPORTER}/bin/zope-exporter"
    done = host.run(program, "restore", f"/{REPOSITORY}", "/srv/zope/restored.fs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (host.root / "srv/zope/restored.fs").stat().st_size


def test_systemd_listens_for_it_where_that_is_wanted(host: Booted) -> None:
    service, listening = "zope-exporter.service", "zope-exporter.socket"
    advice = (DEPLOY / listening).read_text()
    [advised] = re.findall(r"(?m)^#   ExecStart=(.+)$", advice)
    instead = host.root / f"etc/systemd/system/{service}.d/override.conf"
    instead.parent.mkdir()
    instead.write_text(f"[Service]\nExecStart=\nExecStart={advised}\n")
    host.systemctl("daemon-reload")
    host.systemctl("stop", service)
    try:
        host.systemctl("start", listening)
        # The first request starts it, and one that comes while it is not there waits for it.
        for _ in range(2):
            assert host.ask(f"{URL}/-/healthy")[0] == 200, host.journal()
            assert host.properties(service, "ActiveState") == {"ActiveState": "active"}
            host.systemctl("kill", "--signal=KILL", service)
    finally:
        host.systemctl("stop", listening, service)
        shutil.rmtree(instead.parent)
        host.systemctl("daemon-reload")
        host.systemctl("start", service)
    until(host, lambda: host.ask(f"{URL}/-/ready")[0] == 200)


def test_it_ends_when_it_is_told_to(host: Booted) -> None:
    host.systemctl("stop", "zope-exporter.service")
    assert host.properties("zope-exporter.service", "Result") == {"Result": "success"}
    host.systemctl("start", "zope-exporter.service")
    until(host, lambda: host.ask(f"{URL}/-/ready")[0] == 200)
