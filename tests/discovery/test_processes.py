import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.support.zopes.lookalikes import program, running
from zope_exporter.discovery.inventory import Process
from zope_exporter.discovery.processes import Processes, find_processes

FORKING = """
import os, sys
child = os.fork()
if child:
    print("ready", flush=True)
sys.stdin.read()
"""


def find(*pids: int) -> Processes:
    return find_processes(lambda: [psutil.Process(pid) for pid in pids])


@pytest.mark.parametrize(
    ("script", "arguments", "kind", "file"),
    [
        ("venv/bin/runwsgi", ["etc/zope.ini"], "zope", "etc/zope.ini"),
        ("eggs/Zope2/Startup/serve.py", ["etc/zope.ini"], "zope", "etc/zope.ini"),
        ("eggs/Zope2/Startup/run.py", ["-C", "etc/zope.conf"], "zope", "etc/zope.conf"),
        ("bin/runzope", ["--configure=etc/zope.conf"], "zope", "etc/zope.conf"),
        ("venv/bin/runzeo", ["-C", "etc/zeo.conf"], "zeo", "etc/zeo.conf"),
        ("ZODB3-3.10.7/ZEO/runzeo.py", ["-C", "etc/zeo.conf"], "zeo", "etc/zeo.conf"),
    ],
)
def test_a_server_is_found_with_its_file_as_its_process_sees_it(
    tmp_path: Path, script: str, arguments: list[str], kind: str, file: str
) -> None:
    environ = {"INSTANCE_HOME": "/srv/zope"}
    with running(program(tmp_path / script), *arguments, cwd=tmp_path, environ=environ) as server:
        (found,) = find(server.pid).sources
        process = psutil.Process(server.pid)
        assert found.process == Process(server.pid, process.create_time())
        assert (found.kind, found.config or found.wsgi_ini) == (kind, tmp_path / file)
        assert found.environ["INSTANCE_HOME"] == "/srv/zope"
        assert found.directory == tmp_path


def test_variables_and_the_debug_flag_are_kept(tmp_path: Path) -> None:
    arguments = ["-d", "zope.ini", "config_file=zope.conf"]
    with running(program(tmp_path / "runwsgi"), *arguments, cwd=tmp_path) as server:
        (found,) = find(server.pid).sources
    assert found.variables == (("config_file", "zope.conf"),)
    assert found.debug


def test_an_interpreter_script_of_buildout_is_seen_through(tmp_path: Path) -> None:
    interpreter = program(
        tmp_path / "parts/instance/bin/interpreter",
        "import sys; exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec'))",
    )
    serve = program(tmp_path / "eggs/Zope2/Startup/serve.py")
    with running(interpreter, serve, "/srv/etc/wsgi.ini", cwd=tmp_path) as server:
        (found,) = find(server.pid).sources
    assert found.wsgi_ini == Path("/srv/etc/wsgi.ini")


def test_a_module_is_found_among_all_processes_of_the_host(tmp_path: Path) -> None:
    program(tmp_path / "ZEO/runzeo.py")
    (tmp_path / "ZEO/__init__.py").touch()  # else the installed one goes first
    with running("-m", "ZEO.runzeo", "-C", "zeo.conf", cwd=tmp_path) as server:
        configs = [
            s.config for s in find_processes().sources if s.process and s.process.pid == server.pid
        ]
    assert configs == [tmp_path / "zeo.conf"]


def test_a_process_that_only_mentions_a_server_is_none(tmp_path: Path) -> None:
    with running(program(tmp_path / "instance"), "runwsgi", "zope.ini", cwd=tmp_path) as other:
        assert find(other.pid) == Processes()


def test_forked_children_are_one_server_with_their_parent(tmp_path: Path) -> None:
    with running(program(tmp_path / "runwsgi", FORKING), "zope.ini", cwd=tmp_path) as server:
        (child,) = psutil.Process(server.pid).children()
        for pids in [(server.pid, child.pid), (child.pid, server.pid)]:
            found = find(*pids)
            assert [source.process and source.process.pid for source in found.sources] == [
                server.pid
            ]
            assert found.problems == ()


def test_of_two_servers_with_one_configuration_the_first_is_watched(tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path)
    script = program(tmp_path / "runzeo")
    with (
        running(script, "-C", "zeo.conf", cwd=tmp_path) as first,
        running(script, "-C", tmp_path / "other/zeo.conf", cwd=tmp_path) as second,
    ):
        found = find(second.pid, first.pid)
        pids = sorted(
            [first.pid, second.pid], key=lambda pid: (psutil.Process(pid).create_time(), pid)
        )
    assert [source.process and source.process.pid for source in found.sources] == pids[:1]
    assert f"also run by process {pids[1]}" in found.sources[0].problems[0]


BECOME = """
import os, sys
if sys.argv[2:]:
    os.setuid(65534)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_of_two_servers_that_of_the_owner_of_the_file_is_watched(tmp_path: Path) -> None:
    (tmp_path / "zope.ini").touch()
    script = program(tmp_path / "runwsgi", BECOME)
    with (
        running(script, "zope.ini", "a=b", cwd=tmp_path) as strangers,
        running(script, "zope.ini", cwd=tmp_path) as own,
    ):
        (source,) = find(strangers.pid, own.pid).sources
    assert source.process
    assert source.process.pid == own.pid
    assert f"also run by process {strangers.pid}" in source.problems[0]


def test_zombies_are_passed_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, program(tmp_path / "runzeo", ""), "-C", "x"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert find(ended.pid) == Processes()


DROP_RIGHTS_AND_FIND = """
import os, sys, psutil
from zope_exporter.discovery.processes import find_processes
psutil.Process().username()
os.setgroups([])
os.setuid(65534)
found = find_processes(lambda: [psutil.Process(int(sys.argv[1]))])
print(found.sources, *found.problems)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_rights_the_missing_one_is_named(tmp_path: Path) -> None:
    with running(program(tmp_path / "runwsgi"), "zope.ini", cwd=tmp_path) as server:
        command = [sys.executable, "-c", DROP_RIGHTS_AND_FIND, str(server.pid)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.startswith(
        f"() process {server.pid} of user root was started with zope.ini, but its working directory"
        " cannot be read; run zope-exporter as root"
    )
    assert "CAP_SYS_PTRACE" in said.stdout


@dataclass
class Fake:
    """A process as psutil would show it, where a real one cannot be had."""

    argv: list[str]
    pid: int = 70
    parent: int = 1
    denied: set[str] = field(default_factory=set)
    user: str = "zope"
    gone: bool = False

    def _ask(self, what: str) -> None:
        if what in self.denied:
            raise psutil.AccessDenied(self.pid)
        if self.gone and what != "cmdline":
            raise psutil.NoSuchProcess(self.pid)

    def cmdline(self) -> list[str]:
        self._ask("cmdline")
        return self.argv

    def is_running(self) -> bool:
        return True

    def create_time(self) -> float:
        return 1000.0

    def ppid(self) -> int:
        return self.parent

    def cwd(self) -> str:
        self._ask("cwd")
        return "/srv/zope"

    def environ(self) -> dict[str, str]:
        self._ask("environ")
        return {}

    def username(self) -> str:
        return self.user


def proc(tmp_path: Path, **files: str) -> Path:
    """Make a /proc where process 70 sees these files under its root."""
    (tmp_path / "proc/1").mkdir(parents=True)
    for name, text in files.items():
        file = tmp_path / "proc/70/root" / str(tmp_path / name).lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "proc"


def test_an_absolute_path_needs_no_right(tmp_path: Path) -> None:
    other = Fake(["python", "runwsgi", "/x/zope.ini"], denied={"cwd", "environ"})
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/70").mkdir()
    (tmp_path / "proc/70/root").symlink_to("/")
    found = find_processes(lambda: [other], tmp_path / "proc")
    assert [source.wsgi_ini for source in found.sources] == [Path("/x/zope.ini")]
    assert found.problems == ()


def test_a_relative_path_without_the_right_to_see_to_what_is_told(tmp_path: Path) -> None:
    other = Fake(["python", "runwsgi", "etc/zope.ini"], denied={"cwd"})
    (tmp_path / "proc/1").mkdir(parents=True)
    found = find_processes(lambda: [other], tmp_path / "proc")
    assert found.sources == ()
    assert found.problems == (
        "process 70 of user zope was started with etc/zope.ini, but its working directory cannot"
        " be read; run zope-exporter as zope or root, or give it CAP_SYS_PTRACE",
    )


@pytest.mark.parametrize("here", [True, False])
def test_a_file_of_another_root_is_that_of_the_process(tmp_path: Path, here: bool) -> None:
    if here:
        (tmp_path / "zope.ini").write_text("ours")
    fake_proc = proc(tmp_path, **{"zope.ini": "theirs"})
    found = find_processes(
        lambda: [Fake(["python", "runwsgi", str(tmp_path / "zope.ini")])], fake_proc
    )
    assert found.problems == ()
    [source] = found.sources
    assert (source.wsgi_ini, source.root) == (tmp_path / "zope.ini", fake_proc / "70/root")


def test_a_file_missing_under_both_roots_is_told_apart_by_the_roots(tmp_path: Path) -> None:
    fake_proc = proc(tmp_path, other="")
    found = find_processes(lambda: [Fake(["python", "runwsgi", "/nowhere/zope.ini"])], fake_proc)
    assert [source.root for source in found.sources] == [fake_proc / "70/root"]


@pytest.mark.parametrize("file", ["/etc/zope.ini", "etc/zope.ini"])
def test_of_a_container_that_may_not_be_looked_into_no_file_of_ours_is_read(
    tmp_path: Path, file: str
) -> None:
    """What is mounted as its root everybody may know."""
    (tmp_path / "proc/1").mkdir(parents=True)
    process = tmp_path / "proc/70"
    process.mkdir()
    (process / "mountinfo").write_text(
        "21 20 0:77 / / rw - overlay overlay rw\n22 21 0:4 / /proc rw - proc proc rw\n"
    )
    other = Fake(["python", "runwsgi", file], denied={"cwd", "environ"})
    found = find_processes(lambda: [other], tmp_path / "proc")
    assert found.sources == ()
    [problem] = found.problems
    assert f"({os.geteuid()}:{os.getegid()})" in problem
    assert "another container" in problem


def test_hidden_processes_are_a_problem_only_while_nothing_is_found(tmp_path: Path) -> None:
    hidden = Fake(["x"], pid=71, denied={"cmdline"})
    nothing = find_processes(lambda: [hidden], proc(tmp_path))
    assert "hidepid" in nothing.hidden
    assert "hidepid" in find_processes(list, tmp_path / "empty").hidden
    (tmp_path / "proc/70").mkdir()
    (tmp_path / "proc/70/root").symlink_to("/")
    some = find_processes(lambda: [hidden, Fake(["python", "runwsgi", "a.ini"])], tmp_path / "proc")
    assert len(some.sources) == 1
    assert (some.problems, some.hidden) == ((), "")


def test_vanished_kernel_and_odd_processes_are_passed_over(tmp_path: Path) -> None:
    processes = [
        Fake([]),
        Fake(["python", "runwsgi", "zope.ini"], gone=True),
        Fake(["\udce4\udcff", "runwsgi"]),
        Fake(["gunicorn"]),
    ]
    assert find_processes(lambda: processes, proc(tmp_path)) == Processes()


class Unreadable(Fake):
    """One whose environment is not as anybody expected."""

    def environ(self) -> dict[str, str]:
        raise ValueError("embedded null byte")


def test_what_is_wrong_with_one_process_does_not_cost_the_others(tmp_path: Path) -> None:
    argv = ["python", "runwsgi", "/srv/zope.ini"]
    found = find_processes(lambda: [Unreadable(argv, pid=71), Fake(argv)], proc(tmp_path))
    assert [each.process and each.process.pid for each in found.sources] == [70]
    assert found.problems == ("process 71 could not be inspected: embedded null byte",)


def test_a_server_without_configuration_file_is_a_problem(tmp_path: Path) -> None:
    found = find_processes(lambda: [Fake(["python", "runzeo", "-a", "8100"])], proc(tmp_path))
    assert found.problems == (
        "process 70 is a Zope or ZEO server, but it was started without a configuration file (-C)",
    )
