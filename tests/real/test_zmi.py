"""Management pages of real Zopes of every generation."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs.exporter import zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import MANAGER
from zope_exporter.clients.zmi.pages import Caches
from zope_exporter.clients.zmi.probe import ZmiProber, ZmiResult, ZmiTarget
from zope_exporter.discovery.inventory import Process, ZmiLogin

StartZope = Callable[..., ZopeInstance]

PATIENCE = 30.0
VERSIONS = {"zope63": "6.3.0", "zope5": "5.14.2", "zope48": "4.8.11", "zope213": "2.13.30"}
USER, PASSWORD = MANAGER


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "zmi-password"
    file.write_text(PASSWORD + "\n")
    return file


def probe(
    zope: ZopeInstance, password_file: Path, *, pid: int = 0, timeout: float = PATIENCE
) -> ZmiResult:
    login = ZmiLogin(zope.site.url, USER, password_file)
    target = ZmiTarget(login, ("main", "catalog"), (Process(pid or zope.pid, 1.0),))
    return ZmiProber(timeout).probe(target)


def catalog(home: Path) -> str:
    """Lines of zope.conf for a second database."""
    return (
        "\n<zodb_db catalog>\n mount-point /catalog\n cache-size 77\n cache-size-bytes 1MB\n"
        f" <filestorage>\n path {home}/catalog.fs\n </filestorage>\n</zodb_db>\n"
    )


def loaded(zope: ZopeInstance) -> int:
    """The active objects of the main database, counted one by one, as only a test may do."""
    text = zope.site.get("/Control_Panel/Database/main/cache_extreme_detail").text
    return len(re.findall(r"^\d+ +\S.* +\d+ [LC] ", text, re.MULTILINE))


def test_the_pages_tell_what_is_so(
    any_zope: Environment, start_zope: StartZope, password_file: Path, tmp_path: Path
) -> None:
    zope = start_zope(any_zope, threads=1, settings=catalog(tmp_path))
    names = [f"page{number}" for number in range(20)]
    zope.site.commit(names)
    result = probe(zope, password_file)
    assert result.problem == ""
    assert result.panel is not None
    assert result.panel.zope_version == VERSIONS[any_zope.name]
    assert result.panel.python_version.startswith(f"{2 if any_zope.name == 'zope213' else 3}.")
    assert result.panel.pid == zope.pid
    assert result.panel.debug_mode is (None if any_zope.name == "zope213" else False)
    main, other = result.caches["main"], result.caches["catalog"]
    assert (main.target_objects, main.target_bytes) == (5000, 0)
    assert other.active <= 1, "nothing but the root object"
    assert other == Caches(other.active, 0, 77, 1 << 20)

    for name in names:
        zope.site.get(f"/{name}")
    full = probe(zope, password_file).caches["main"]
    # What answering the page itself loads comes and goes.
    assert full.active == pytest.approx(loaded(zope), abs=3)
    assert full.active >= len(names)
    minimized = zope.site.post("/Control_Panel/Database/main/manage_minimize", {"value": "1"})
    assert minimized.status_code < 400
    emptied = probe(zope, password_file).caches["main"]
    assert emptied.active <= full.active - len(names)
    assert emptied.active + emptied.ghosts <= full.active + full.ghosts


def test_no_other_page_is_visited_and_none_by_post(
    any_zope: Environment, start_zope: StartZope, password_file: Path, tmp_path: Path
) -> None:
    zope = start_zope(any_zope, settings=catalog(tmp_path))
    probe(zope, password_file)
    old = any_zope.name == "zope213"
    log = zope.home / ("log/Z2.log" if old else "var/log/Z4.log")
    page = "manage_cacheParameters" if old else "manage_main"

    def asked() -> set[str]:
        lines = log.read_text().splitlines()
        return {line.split('"')[1].rpartition(" ")[0] for line in lines if "zope-exporter" in line}

    allowed = {
        "GET /Control_Panel/manage_main",
        f"GET /Control_Panel/Database/main/{page}",
        f"GET /Control_Panel/Database/catalog/{page}",
    }
    eventually(lambda: asked() >= allowed)
    assert asked() == allowed


def test_a_wrong_password_a_plain_visitor_and_the_wrong_zope(
    any_zope: Environment, start_zope: StartZope, password_file: Path, tmp_path: Path
) -> None:
    zope = start_zope(any_zope, settings=catalog(tmp_path))
    assert "is that of process" in probe(zope, password_file, pid=1).problem
    password_file.write_text("wrong")
    result = probe(zope, password_file)
    assert result == ZmiResult(problem=result.problem)
    assert "refuses the login" in result.problem
    password_file.write_text(PASSWORD)
    assert probe(zope, password_file).problem == ""


def test_a_zope_that_hangs_is_left_in_time(
    zope63: Environment, start_zope: StartZope, password_file: Path
) -> None:
    zope = start_zope(zope63)
    os.kill(zope.pid, signal.SIGSTOP)
    try:
        result = probe(zope, password_file, timeout=1)
    finally:
        os.kill(zope.pid, signal.SIGCONT)
    assert result == ZmiResult(problem="the ZMI does not answer in time")


def test_check_says_where_it_knows_it_from_and_never_the_password(
    zope63: Environment, start_zope: StartZope, password_file: Path, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "bare")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"sites:\n- name: bare\n  instances:\n  - zope_conf: {zope.zope_conf}\n"
        f"    wsgi_ini: {zope.zope_ini}\n"
        f"    zmi: {{url: '{zope.site.url}', username: {USER}, password_file: zmi-password}}\n"
    )

    def check() -> str:
        run = zope_exporter("check", "--config.file", config, state_dir=tmp_path / "state")
        assert PASSWORD not in run.stdout + run.stderr
        return run.stdout

    assert "Zope 6.3.0, Python 3." in check()
    assert re.search(r"database main: \d+ objects .*\(from the ZMI, without agent\)", check())
    password_file.write_text("wrong")
    assert re.search(r"WARNING +bare +zmi bare +the ZMI refuses the login", check())
