"""That the real servers other tests rely on are what they say, and leave nothing behind."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support.programs.cache import UnavailableError, cached
from tests.support.programs.debian import PROGRAMS, tool
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.programs.server import processes_of
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.interpreters import find_interpreter

StartZope = Callable[..., ZopeInstance]
StartZeo = Callable[..., ZeoServer]
MakeBuildout = Callable[..., Buildout]


def command_line(pid: int) -> list[str]:
    return psutil.Process(pid).cmdline()[1:]


def running_below(home: Path, count: int) -> list[str]:
    """The command lines of the processes of `home` once there are `count`.

    A process that is about to become another program has the command line of its parent.
    """

    def look() -> list[list[psutil.Process]]:
        found = processes_of(home)
        return [found] if len(found) == count else []

    [found] = eventually(look)
    return [" ".join(process.cmdline()) for process in found]


def test_zope_serves_what_was_committed_before_a_restart(
    any_zope: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_zope)
    zope.site.commit(["first", "second"], text="kept")
    assert zope.stop() == 0
    assert running_below(zope.home, 0) == []
    zope.start()
    assert zope.site.get("/second").text == "kept"


def test_runwsgi_has_the_command_line_of_production(
    zope63: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(zope63)
    assert command_line(zope.pid) == [str(zope63.script("runwsgi")), str(zope.zope_ini)]


def test_runzope_has_the_command_line_of_production(
    zope213: Environment, start_zope: StartZope
) -> None:
    program, *arguments = command_line(start_zope(zope213).pid)
    assert Path(program).name == "runzope"
    assert arguments[0] == "-C"
    assert arguments[1].endswith("/etc/zope.conf")


def test_zope_is_a_client_of_one_of_several_zeo_storages(
    any_zope: Environment, start_zeo: StartZeo, start_zope: StartZope
) -> None:
    zeo = start_zeo(any_zope, storages=["main", "other"])
    zope = start_zope(any_zope, storage=zeo.client("other"))
    before = zeo.data_fs("other").stat().st_size
    zope.site.commit(["page"])
    assert zeo.data_fs("other").stat().st_size > before
    assert command_line(zeo.pid) == [str(any_zope.script("runzeo")), "-C", str(zeo.zeo_conf)]
    assert zope.stop() == 0
    assert zeo.stop() == 0
    assert running_below(zeo.home, 0) == []


def test_bin_instance_and_bin_zeoserver_start_and_stop(make_buildout: MakeBuildout) -> None:
    buildout = make_buildout(zeo=True)
    buildout.start()
    running = running_below(buildout.home, 4)  # each server and its zdaemon
    assert any(line.endswith("/Zope2/Startup/serve.py " + buildout.wsgi_ini) for line in running)
    buildout.site.commit(["page"])
    buildout.stop()
    assert running_below(buildout.home, 0) == []


def test_bin_instance_fg_ends_with_its_child(make_buildout: MakeBuildout) -> None:
    buildout = make_buildout()
    server = buildout.foreground()
    [child] = psutil.Process(server.pid).children()
    assert child.cmdline()[-2:] == ["-d", "debug-mode=on"]
    server.stop()
    assert running_below(buildout.home, 0) == []


def test_a_failing_test_leaves_no_daemon(make_buildout: MakeBuildout) -> None:
    buildout = make_buildout()

    def failing_test() -> None:
        with buildout:
            buildout.start()
            raise LookupError(len(running_below(buildout.home, 2)))

    with pytest.raises(LookupError, match="2"):
        failing_test()
    assert running_below(buildout.home, 0) == []


def test_a_zope_that_does_not_start_says_why(any_zope: Environment, tmp_path: Path) -> None:
    zope = ZopeInstance(any_zope, tmp_path / "instance", settings="\nno-such-key on\n")
    with pytest.raises(AssertionError, match="no-such-key"):
        zope.start()
    assert running_below(zope.home, 0) == []


def test_an_interrupted_making_is_done_over(tmp_path: Path) -> None:
    def half(home: Path) -> None:
        (home / "half").touch()
        raise KeyboardInterrupt

    def whole(home: Path) -> None:
        (home / "whole").touch()

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path / "made", half)
    made = cached(tmp_path / "made", whole)
    assert not (made / "half").exists()
    assert cached(tmp_path / "made", half) == made
    assert (made / "whole").exists()


def test_many_at_once_make_one(tmp_path: Path) -> None:
    def make(home: Path) -> None:
        with (tmp_path / "makings").open("a") as makings:
            makings.write("made\n")
        (home / "whole").touch()

    def whole(_: int) -> bool:
        return (cached(tmp_path / "made", make) / "whole").exists()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(whole, range(8)))
    assert (tmp_path / "makings").read_text() == "made\n"


def test_a_python_that_is_nowhere_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"no python3\.0 or python2\.0 on PATH"):
        find_interpreter(["3.0", "2.0"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_distribution_run(program: str) -> None:
    asked = subprocess.run(
        [require(tool, program), PROGRAMS[program].version],
        capture_output=True,
        text=True,
        check=True,
    )
    # systemd-analyze says of itself systemd, apache2 Apache/2, and uwsgi only its version.
    named = {"apache2": "apache/2", "uwsgi": "-debian"}.get(program, program.partition("-")[0])
    assert named in (asked.stdout + asked.stderr).lower()
