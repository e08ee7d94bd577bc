"""The exporter beside a file system that hangs: it costs what is on it, and must be told."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host as Maintained
from tests.support.faults.hanging import hanging
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.lookalikes import program, running, zope_instance
from zope_exporter.discovery.looking import AbandonedError, HangsError, Limits, Looking

NAMES = "nfs", "shop", "late"


class Host:
    """Three Zopes, the files of one of which can be made to hang.

    They are declared, and do not look like Zopes: no other exporter of this machine must run into
    what hangs. Who asks the kernel for a name that is asked for already may wait for good.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "zope-exporter.yml"
        self.state = directory / "state"
        self.stack = ExitStack()
        lines = ["discover: false", "sites:"]
        for name in NAMES:
            zope_instance(directory / name, port=1)
            (directory / name / "var").mkdir()
            (directory / name / "var/Data.fs").write_bytes(b"FS21")
            files = f"zope_conf: {name}/etc/zope.conf, pid_file: {name}.pid"
            lines.append(f"- {{name: {name}, instances: [{{{files}}}]}}")
        self.config.write_text("\n".join(lines))

    def start(self, *names: str) -> None:
        script = program(self.directory / "some-server")
        for name in names:
            process = self.stack.enter_context(running(script, cwd=self.directory))
            (self.directory / f"{name}.pid").write_text(f"{process.pid}\n")

    @contextmanager
    def exporter(self) -> Iterator[Running]:
        log = self.directory / "exporter.log"
        with serving(self.state, "--config.file", self.config, log=log) as exporter:
            yield exporter


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    with made.stack:
        yield made


def up(exporter: Running) -> dict[str, float]:
    series = exporter.page().get("zope_process_up", {})
    found = {dict(labels)["site"]: value for labels, value in series.items()}
    return {name: found[name] for name in NAMES if name in found}


def searches_well(exporter: Running) -> bool:
    return exporter.value("zope_collector_success", collector="discovery") == 1


def last(exporter: Running) -> float:
    return exporter.value("zope_discovery_last_success_timestamp_seconds") or 0.0


def test_a_file_system_that_hangs_costs_its_own_site_only(host: Host) -> None:
    host.start("nfs", "shop")
    with ExitStack() as stack:
        exporter = stack.enter_context(host.exporter())
        eventually(lambda: up(exporter) == {"nfs": 1, "shop": 1, "late": 0})
        end = host.stack.enter_context(require(lambda: hanging(host.directory / "nfs")))
        eventually(lambda: not searches_well(exporter), 120)
        host.start("late")
        eventually(lambda: up(exporter) == dict.fromkeys(NAMES, 1.0), 120)
        before = last(exporter)
        eventually(lambda: last(exporter) > before, 120)
        assert not searches_well(exporter)
        end()
        eventually(lambda: searches_well(exporter), 120)
    warnings = (host.directory / "exporter.log").read_text().splitlines()
    told = [line for line in warnings if f"{host.directory}/nfs has not answered since" in line]
    assert len([line for line in told if 'msg="discovery: ' in line]) == 1, told


def test_who_starts_beside_it_finds_the_others_and_says_so(host: Host) -> None:
    host.start("nfs", "shop")
    host.stack.enter_context(require(lambda: hanging(host.directory / "nfs")))
    check = zope_exporter("check", "--config.file", host.config, state_dir=host.state)
    assert re.search(r"^OK +shop +shop ", check.stdout, re.MULTILINE), check.stdout + check.stderr
    assert f"{host.directory}/nfs has not answered since" in check.stdout
    with host.exporter() as exporter:
        # What can be seen of the one that hangs is told, too.
        eventually(lambda: up(exporter) == {"nfs": 1, "shop": 1, "late": 0}, 120)
        assert not searches_well(exporter)


def test_another_site_is_backed_up_and_packed_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site, mounted = Maintained(tmp_path / "site"), tmp_path / "nfs"
    mounted.mkdir()
    beside = f"sites:\n  - name: nfs\n    instances: [{{zope_conf: {mounted}/etc/zope.conf}}]\n"
    site.config.write_text(site.config.read_text().replace("sites:\n", beside))
    with require(lambda: hanging(mounted)):
        for command in ("backup", "pack", "verify"):
            run = site.run(command, "intranet")
            assert run.returncode == 0, run.stderr
    assert [job.state for job in site.jobs()] == ["succeeded"] * 3


class Stuck:
    """A search whose first look at a place does not end until it is told to."""

    def __init__(self, looking: Looking, place: str) -> None:
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self._looking = looking
        self._place = place

    def __call__(self) -> str:
        try:
            self._looking(self._place)
        except HangsError as error:
            return str(error)
        self.go_on.wait(60)
        try:
            self._looking("something else")
        except AbandonedError:
            self.ended.set()
            raise
        return "answered"


def test_a_search_goes_around_what_hangs_until_it_answers_again() -> None:
    looking = Looking(Limits(0.5, 0.01, 0.5))
    stuck = Stuck(looking, "process 17")
    told = looking.run(stuck)
    assert told.startswith("process 17 has not answered since ")
    waiting = threading.active_count()
    for _ in range(5):
        assert looking.run(stuck) == told
    # Each search goes around the place, and leaves no more threads behind.
    assert threading.active_count() == waiting
    assert [told.startswith(each) for each in looking.hanging] == [True]
    stuck.go_on.set()
    assert stuck.ended.wait(60)
    eventually(lambda: not looking.hanging)
    assert looking.run(stuck) == "answered"


def test_a_slow_search_of_what_answers_is_not_given_up(tmp_path: Path) -> None:
    looking = Looking(Limits(0.0, 60.0, 60.0))
    stuck = Stuck(looking, str(tmp_path))
    threading.Timer(0.5, stuck.go_on.set).start()
    assert looking.run(stuck) == "answered"
    assert looking.hanging == ()


def test_links_to_what_hangs_hang_too_and_nothing_else(tmp_path: Path) -> None:
    mounted, looking = tmp_path / "nfs", Looking(Limits(0.2, 0.2))
    mounted.mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "second")
    (tmp_path / "second").symlink_to("nfs/site")

    def search() -> tuple[bool, ...]:
        if looking.answers(tmp_path / "link/etc/zope.conf"):
            (tmp_path / "link/etc/zope.conf").exists()
        ways = "nfs/x", "link/y", "link/../../here", "here", "nfs2"
        return tuple(looking.answers(tmp_path / way) for way in ways)

    with require(lambda: hanging(mounted)):
        assert looking.run(search) == (False, False, False, True, True)
        (text,) = looking.hanging
        assert text.startswith(f"{mounted} has not answered since ")
