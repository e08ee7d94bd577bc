from pathlib import Path

from zope_exporter.inventory import Inventory, Process, Service, Site
from zope_exporter.logfiles.sources import ExtraLog, LogSource, log_sources

ACCESS, EVENT = Path("/srv/zope/var/log/Z4.log"), Path("/srv/zope/var/log/event.log")
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
