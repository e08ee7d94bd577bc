"""The exporter beside a file system that hangs: it costs what is on it, and must be told."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.faults.hanging import hanging
from tests.support.programs.exporter import Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.lookalikes import program, running, zope_instance
from zope_exporter.discovery.looking import AbandonedError, HangsError, Limits, Looking

NAMES = "nfs", "shop", "late"


class Host:
    """Three Zopes, the files of one of which can be made to hang."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.script = program(directory / "bin/runwsgi")
        self.inis = {name: zope_instance(directory / name, port=1) for name in NAMES}
        for name in NAMES:
            (directory / name / "var").mkdir()
            (directory / name / "var/Data.fs").write_bytes(b"FS21")
        self.stack = ExitStack()

    def start(self, *names: str) -> None:
        for name in names:
            ini = self.inis[name]
            self.stack.enter_context(running(self.script, ini, cwd=self.directory))

    @contextmanager
    def exporter(self) -> Iterator[Running]:
        with serving(self.directory / "state", log=self.directory / "exporter.log") as exporter:
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
        eventually(lambda: up(exporter) == {"nfs": 1, "shop": 1})
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
    state = host.directory / "state"
    with host.exporter() as exporter:
        eventually(lambda: up(exporter) == {"nfs": 1, "shop": 1})
    host.stack.enter_context(require(lambda: hanging(host.directory / "nfs")))
    check = zope_exporter("check", state_dir=state)
    assert re.search(r"^OK +shop +shop ", check.stdout, re.MULTILINE), check.stderr
    assert f"{host.directory}/nfs has not answered since" in check.stdout
    with host.exporter() as exporter:
        # What it was called is remembered; that its process runs can be seen.
        eventually(lambda: up(exporter) == {"nfs": 1, "shop": 1}, 120)
        assert not searches_well(exporter)


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
