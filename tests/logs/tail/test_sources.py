import threading
from dataclasses import replace
from pathlib import Path

from tests.support.programs.processes import eventually
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.logs.tail.sources import ExtraLog, LogKind, LogSource, RealPaths, log_sources

ACCESS, EVENT = Path("/srv/zope/var/log/Z4.log"), Path("/srv/zope/var/log/event.log")
LOGS: tuple[tuple[Path, LogKind], ...] = ((ACCESS, "access"), (EVENT, "event"))
PROCESS = Process(7, 1.0)
ZOPE = Service(
    "zope",
    "instance",
    None,
    access_log=ACCESS,
    event_log=EVENT,
    event_log_format="%(message)s",
    event_log_date_format="%H:%M",
    process=PROCESS,
)


def names(sources: list[LogSource]) -> list[tuple[str, str]]:
    return [(source.site, source.log) for source in sources]


def test_logs_of_services() -> None:
    zeo = Service("zeo", "zeo", None, event_log=Path("/srv/zeo/log/zeo.log"))
    assert log_sources(Inventory((Site("intranet", (ZOPE, zeo)),))) == [
        LogSource("intranet", "instance-access", ACCESS, "access", process=PROCESS),
        LogSource(
            "intranet", "instance-event", EVENT, "event", "%(message)s", "%H:%M", process=PROCESS
        ),
        LogSource("intranet", "zeo-event", Path("/srv/zeo/log/zeo.log"), "event"),
    ]


def test_a_file_is_one_log_whoever_names_it() -> None:
    second = Service("zope", "client2", None, event_log=Path("/srv/zope/etc/../var/log/event.log"))
    extra = ExtraLog("intranet", ACCESS, "access")
    sources = log_sources(Inventory((Site("intranet", (ZOPE, second)),)), [extra])
    assert names(sources) == [("intranet", "instance-access"), ("intranet", "instance-event")]


def test_extra_logs_are_called_as_their_files() -> None:
    extra = [
        ExtraLog("intranet", Path(path), "access", "%h")
        for path in ("/a/x/access.log", "/b/x/access.log", "/c/x/access.log", "/d-c/x/access.log")
    ]
    sources = log_sources(Inventory((Site("intranet", (ZOPE,)),)), [*extra, extra[0]])
    assert [source.log for source in sources[2:]] == [
        "access.log",
        "x-access.log",
        "c-x-access.log",
        "d-c-x-access.log",
    ]
    assert {source.format for source in sources[2:]} == {"%h"}


def test_names_are_free_in_another_site() -> None:
    extra = [ExtraLog(site, Path(f"/{site}/access.log"), "access") for site in ("shop", "blog")]
    assert names(log_sources(Inventory(), extra)) == [
        ("shop", "access.log"),
        ("blog", "access.log"),
    ]


def test_what_is_given_by_hand_outranks_what_is_found() -> None:
    extra = [
        ExtraLog("intranet", Path("/srv/zope/etc/../var/log/Z4.log"), "access", "%m %>s"),
        ExtraLog("intranet", EVENT, "event", "%(levelname)s %(message)s"),
        ExtraLog("shop", EVENT, "event", "%(levelno)s"),
    ]
    sites = tuple(Site(name, (ZOPE,)) for name in ("intranet", "blog"))
    assert log_sources(Inventory(sites), extra) == [
        LogSource("intranet", "instance-access", ACCESS, "access", "%m %>s", process=PROCESS),
        LogSource(
            "intranet",
            "instance-event",
            EVENT,
            "event",
            "%(levelname)s %(message)s",
            process=PROCESS,
        ),
        *log_sources(Inventory(sites[1:])),
        LogSource("shop", "event.log", EVENT, "event", "%(levelno)s"),
    ]


def test_a_path_alone_leaves_the_format_that_was_found() -> None:
    inventory = Inventory((Site("intranet", (ZOPE,)),))
    extra = [ExtraLog("intranet", path, kind) for path, kind in LOGS]
    assert log_sources(inventory, extra) == log_sources(inventory)


def test_the_kind_given_by_hand_counts() -> None:
    zope = replace(ZOPE, event_log=None)
    extra = [ExtraLog("intranet", ACCESS, "event", "%(levelname)s %(message)s")]
    assert log_sources(Inventory((Site("intranet", (zope,)),)), extra) == [
        LogSource(
            "intranet",
            "instance-event",
            ACCESS,
            "event",
            "%(levelname)s %(message)s",
            process=PROCESS,
        )
    ]


def test_a_file_given_as_both_kinds_is_followed_as_both() -> None:
    zope = replace(ZOPE, event_log=None)
    extra = [ExtraLog("intranet", ACCESS, kind) for _, kind in LOGS]
    for inventory in (Inventory((Site("intranet", (zope,)),)), Inventory()):
        sources = log_sources(inventory, extra)
        assert {source.kind for source in sources} == {"access", "event"}
        assert len({source.log for source in sources}) == 2


def test_a_file_is_the_same_by_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found, given = tmp_path / "real" / "Z4.log", tmp_path / "link" / "Z4.log"
    zope = Service("zope", "instance", None, access_log=found)
    sources = log_sources(
        Inventory((Site("intranet", (zope,)),)),
        [ExtraLog("intranet", given, "access", "%m %>s")],
        RealPaths(),
    )
    assert sources == [LogSource("intranet", "instance-access", found, "access", "%m %>s")]


def test_a_file_system_that_hangs_delays_no_more_than_once() -> None:
    ended, asked = threading.Event(), []

    def resolve(path: Path) -> str:
        asked.append(path)
        ended.wait(30)
        return "/there"

    now = 0.0
    real = RealPaths(resolve, patience=0.01, clock=lambda: now)
    assert [real(Path("/a/../hangs")) for _ in range(5)] == ["/hangs"] * 5
    eventually(lambda: len(asked) == 1)  # the thread may come late on a busy machine
    ended.set()
    eventually(lambda: real(Path("/a/../hangs")) == "/there")
    assert real(Path("/a/../hangs")) == "/there"
    assert len(asked) == 1
    now = 100
    assert real(Path("/a/../hangs")) == "/there"
    eventually(lambda: len(asked) == 2)
