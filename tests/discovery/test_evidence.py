"""Zopes whose command lines do not tell what they are, by real processes."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.programs.processes import eventually
from tests.support.zopes.lookalikes import program, running, zeo_client, zope_instance
from zope_exporter.discovery.inventory import Inventory, Service, Site
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.processes import find_processes
from zope_exporter.discovery.survey import Survey

# argv: the Data.fs to lock or "", the directory of an agent's socket or "", whether to listen, and
# the user to become.
SERVER = """
import fcntl, os, socket, sys
data_fs, agent, listens = sys.argv[1:4]
kept = []
if data_fs:
    kept += [open(data_fs, "rb"), open(data_fs + ".lock", "rb")]
    fcntl.flock(kept[1], fcntl.LOCK_EX)
if agent:
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].bind(f"{agent}/zope-exporter-{os.getpid()}.sock")
    kept[-1].listen()
if listens:
    kept.append(socket.create_server(("127.0.0.1", 0)))
if sys.argv[4:] and sys.argv[4].isdigit():
    os.setuid(int(sys.argv[4]))
print("ready", flush=True)
sys.stdin.read()
"""
NOBODY = 65534


def instance(home: Path, storage: str = "") -> Path:
    """An instance with a Data.fs that was used; return its home."""
    zope_instance(home, storage)
    (home / "var").mkdir()
    for name in ("Data.fs", "Data.fs.lock"):
        (home / "var" / name).touch()
    return home


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as peer:
        return peer.connect_ex(str(path)) == 0


@contextmanager
def serving(
    cwd: Path,
    data_fs: Path | str = "",
    agent: Path | str = "",
    listens: bool = True,
    user: int = 0,
) -> Iterator[subprocess.Popen[str]]:
    script = program(cwd / "serve.py", SERVER)
    told = data_fs, agent, "yes" if listens else "", str(user or os.geteuid())
    with running(script, *told, cwd=cwd) as process:
        yield process


def survey(*pids: int, declared: tuple[Site, ...] = ()) -> Inventory:
    return Survey(
        Memory(None),
        declared,
        find=lambda: find_processes(lambda: [psutil.Process(pid) for pid in pids]),
        hosts=frozenset,
    )()


def shown(inventory: Inventory) -> list[tuple[str, Path | None, int | None]]:
    return [
        (service.name, service.config, service.process.pid if service.process else None)
        for _, service in inventory.services()
    ]


def test_who_holds_a_data_fs_and_listens_is_a_zope(tmp_path: Path) -> None:
    home = instance(tmp_path / "shop")
    with serving(tmp_path, home / "var/Data.fs") as server:
        inventory = survey(server.pid)
    assert shown(inventory) == [("shop", home / "etc/zope.conf", server.pid)]
    ((_, service),) = inventory.services()
    assert [url.partition("127.0.0.1:")[0] for url in service.urls] == ["http://"]
    assert inventory.problems == service.problems == ()


@pytest.mark.parametrize("what", ["silent", "other", "unlocked"])
def test_what_holds_no_zopes_data_or_serves_nobody_is_none(tmp_path: Path, what: str) -> None:
    home = instance(tmp_path / "shop")
    data_fs = home / "var/Data.fs"
    if what == "other":  # as an application of Pyramid with its ZODB
        data_fs = tmp_path / "blog/Blog.fs"
        data_fs.parent.mkdir()
        data_fs.touch()
        (data_fs.parent / "Blog.fs.lock").touch()
    with serving(
        tmp_path, data_fs if what != "unlocked" else "", listens=what != "silent"
    ) as server:
        inventory = survey(server.pid)
    assert (shown(inventory), inventory.problems) == ([], ())


@pytest.mark.parametrize("layout", ["environ", "argument", "buildout"])
def test_its_configuration_is_where_it_was_told_or_beside_the_data(
    tmp_path: Path, layout: str
) -> None:
    conf = tmp_path / "plone/parts/instance/etc/zope.conf"
    data_fs = tmp_path / "plone/var/filestorage/Data.fs"
    if layout != "buildout":
        conf = tmp_path / "elsewhere/my.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        f"instancehome {conf.parent.parent}\n<zodb_db main>\n<filestorage>\n path {data_fs}\n"
        "</filestorage>\nmount-point /\n</zodb_db>\n"
    )
    data_fs.parent.mkdir(parents=True)
    data_fs.touch()
    (data_fs.parent / "Data.fs.lock").touch()
    script = program(tmp_path / "serve.py", SERVER)
    environ = {"PATH": os.environ["PATH"]} | ({"ZCONF": str(conf)} if layout == "environ" else {})
    told = [f"--conf={conf}"] if layout == "argument" else []
    with running(script, data_fs, "", "yes", *told, cwd=tmp_path, environ=environ) as server:
        assert [config for _, config, _ in shown(survey(server.pid))] == [conf]


def test_a_client_of_zeo_is_known_by_the_socket_of_its_agent(tmp_path: Path) -> None:
    home = instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    with serving(tmp_path, agent=home / "var", listens=False) as server:
        inventory = survey(server.pid)
    assert shown(inventory) == [("shop", home / "etc/zope.conf", server.pid)]


def test_an_agent_without_zope_conf_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with serving(tmp_path, agent=tmp_path / "x") as server:
        inventory = survey(server.pid)
    assert shown(inventory) == []
    (problem,) = inventory.problems
    assert problem.startswith(f"process {server.pid} is a Zope, whose agent listens at {tmp_path}/")


def test_a_declared_zope_conf_is_found_wherever_it_is(tmp_path: Path) -> None:
    home = instance(tmp_path / "shop")
    conf = tmp_path / "far/away.conf"
    conf.parent.mkdir()
    (home / "etc/zope.conf").rename(conf)
    declared = Site("intranet", (Service("zope", "one", conf),))
    with serving(tmp_path, home / "var/Data.fs") as server:
        assert shown(survey(server.pid, declared=(declared,))) == [("one", conf, server.pid)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_stranger_who_locks_a_data_fs_is_not_its_zope(tmp_path: Path) -> None:
    home = instance(tmp_path / "shop")
    with serving(tmp_path, home / "var/Data.fs", user=NOBODY) as stranger:
        inventory = survey(stranger.pid)
    assert (shown(inventory), inventory.problems) == ([], ())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("owner", [NOBODY, 0])
def test_a_configuration_that_a_stranger_put_there_is_not_believed(
    tmp_path: Path, owner: int
) -> None:
    home = instance(tmp_path / "shop")
    os.chown(home / "etc/zope.conf", owner, owner)
    with serving(tmp_path, home / "var/Data.fs") as server:
        assert bool(shown(survey(server.pid))) == (owner == 0)


def test_of_two_zopes_with_one_configuration_the_first_is_watched(tmp_path: Path) -> None:
    home = instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    with (
        serving(tmp_path, agent=home / "var") as first,
        serving(tmp_path, agent=home / "var") as second,
    ):
        ((_, service),) = survey(first.pid, second.pid).services()
    assert len(service.processes) == 1
    assert "is also run by process" in service.problems[0]


FORKING = f"""
import os, sys
for _ in range(2):
    if not os.fork():
        sys.stdout = open(os.devnull, "w")
        break
else:
    sys.argv[1:] = ["", "", ""]
{SERVER}"""


@pytest.mark.parametrize("script", ["gunicorn", "serve.py"])
def test_a_server_is_one_zope(tmp_path: Path, script: str) -> None:
    home = instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    with running(program(tmp_path / script, FORKING), "", home / "var", "", cwd=tmp_path) as master:
        eventually(lambda: [listens(each) for each in (home / "var").glob("*.sock")] == [True] * 2)
        workers = psutil.Process(master.pid).children()
        ((_, service),) = survey(*(worker.pid for worker in workers), master.pid).services()
    has_master = script == "gunicorn"
    pids = {worker.pid for worker in workers} | ({master.pid} if has_master else set())
    assert {process.pid for process in service.processes} == pids
    assert [worker.number for worker in service.workers] == ([1, 2] if has_master else [1])
    assert service.problems == ()
