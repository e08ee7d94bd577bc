"""The exporter without configuration beside real Zopes of every generation."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs.exporter import Page, Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

StartZope = Callable[..., ZopeInstance]

# More than the pause between two searches of the host.
FOLLOWED = 60.0


def of(site: str, zope: str = "") -> dict[str, str]:
    return {"site": site, "zope": zope or site}


def services(exporter: Running, site: str) -> dict[str, float]:
    """Return which processes a site has and whether they run."""
    series = exporter.page().get("zope_process_up", {})
    found = [(dict(labels), value) for labels, value in series.items()]
    return {labels["zope"]: value for labels, value in found if labels["site"] == site}


def watched(page: Page, site: str, zope: str) -> set[str]:
    """What is there of a Zope and seen."""
    series = page.get("zope_source_watched", {}).items()
    found = [(dict(labels), value) for labels, value in series]
    ours = [(of, value) for of, value in found if (of["site"], of["zope"]) == (site, zope)]
    return {of["source"] for of, value in ours if value}


def test_a_running_zope_is_found_and_followed(
    any_zope: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    name = f"watched-{any_zope.name}"
    zope = start_zope(any_zope, name)
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: exporter.value("zope_process_up", **of(name)) == 1)
        page = exporter.page()

        def value(metric: str, **labels: str) -> float:
            return page[metric][frozenset(labels.items())]

        now = time.time()
        assert now - 600 < value("zope_process_start_time_seconds", **of(name)) <= now
        assert 20e6 < value("zope_process_resident_memory_bytes", **of(name)) < 1e9
        assert value("zope_process_cpu_seconds_total", **of(name)) > 0.1
        assert value("zope_process_threads", **of(name)) >= zope.threads
        assert value("zope_process_open_fds", **of(name)) > 5
        assert value("zope_ping_up", site=name, target=name) == 1
        assert value("zope_ping_status_code", site=name, target=name) == 200
        data_fs = zope.home / "var/Data.fs"
        main = {"site": name, "database": "main"}
        assert value("zope_filestorage_size_bytes", **main) == data_fs.stat().st_size
        assert value("zope_filestorage_replaced", **main) == 0
        before = value("zope_filestorage_last_transaction_timestamp_seconds", **main)
        assert now - 600 < before <= now + 1
        # What other tests have done to Zopes of theirs is seen by this exporter, and passes.
        eventually(lambda: set(exporter.page()["zope_collector_success"].values()) == {1.0})

        zope.site.commit(["news"])
        last = "zope_filestorage_last_transaction_timestamp_seconds"
        assert (exporter.value(last, **main) or 0) > before

        zope.stop(signal.SIGKILL)
        assert exporter.value("zope_process_up", **of(name)) == 0
        assert exporter.value("zope_ping_up", site=name, target=name) == 0
        assert (exporter.value(last, **main) or 0) > before

        zope.start()
        assert exporter.value("zope_process_up", **of(name)) == 1
        assert exporter.value("zope_ping_up", site=name, target=name) == 1


def test_check_says_what_is_found_and_what_is_wrong(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "checked")
    state = tmp_path / "state"

    def lines(*flags: str) -> list[str]:
        run = zope_exporter("check", "--remember", *flags, state_dir=state)
        assert run.stderr == ""
        return [line for line in run.stdout.splitlines() if " checked " in f"{line} "]

    process, pipeline, agent, storage, ping, watched, *blind = lines()
    cells = ["yes", "yes", "yes", "-", "yes", "yes", "-", "yes", "-", "NO"]
    assert watched.split() == ["checked", "checked", *cells]
    assert [line.split(":")[0].split()[-1] for line in blind] == ["backup"]
    assert "no agent: not installed" in agent
    assert f"in {zope.zope_ini} set pipeline = translogger " in pipeline
    assert f"pid {zope.pid}" in process
    assert str(zope.home / "var/log/event.log") in process
    assert str(zope.home / "var/Data.fs") in storage
    assert f"{zope.site.url}/: status 200" in ping
    assert lines("--quiet") == []

    zope.stop()
    process, ping = lines("--quiet")
    assert process.startswith("CRITICAL")
    assert "is not running" in process
    assert "refused" in ping

    forgotten = zope_exporter("forget", "checked", state_dir=state)
    assert forgotten.stdout == "forgot zope checked of site checked\n"
    assert lines() == []


def test_a_zope_that_is_gone_for_good_or_forgotten_is_missed_no_longer(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    moved = start_zope(zope63, "moved")
    dropped = start_zope(zope63, "dropped")
    state = tmp_path / "state"
    with serving(state, log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: exporter.value("zope_process_up", **of("moved")) == 1)
        moved.stop()
        dropped.stop()
        assert exporter.value("zope_process_up", **of("moved")) == 0
        assert exporter.value("zope_process_up", **of("dropped")) == 0
        shutil.rmtree(moved.home)
        zope_exporter("forget", "dropped", state_dir=state)
        eventually(lambda: exporter.value("zope_process_up", **of("moved")) is None, FOLLOWED)
        eventually(lambda: exporter.value("zope_process_up", **of("dropped")) is None, FOLLOWED)
        start_zope(zope63, "newcomer")
        eventually(lambda: exporter.value("zope_process_up", **of("newcomer")) == 1, FOLLOWED)


def test_a_stopped_zope_is_still_missed_after_a_restart_of_the_exporter(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "missed")
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: services(exporter, "missed") == {"missed": 1})
    zope.stop()
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        assert services(exporter, "missed") == {"missed": 0}


def test_two_sites_on_one_host(
    zope63: Environment, zope48: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    start_zope(zope63, "extranet")
    start_zope(zope48, "intranet")
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: services(exporter, "extranet") == {"extranet": 1})
        eventually(lambda: services(exporter, "intranet") == {"intranet": 1})
        for name in ("extranet", "intranet"):
            assert exporter.value("zope_filestorage_size_bytes", site=name, database="main")


def test_clients_of_one_zeo_storage_are_one_site_with_one_data_fs(
    zope63: Environment,
    start_zope: StartZope,
    start_zeo: Callable[..., ZeoServer],
    tmp_path: Path,
) -> None:
    zeo = start_zeo(zope63, "storehouse")
    for name in ("front1", "front2"):
        start_zope(zope63, name, storage=zeo.client())
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        everything = {"front1": 1, "front2": 1, "storehouse": 1}
        eventually(lambda: services(exporter, "front1") == everything)
        sizes = exporter.page()["zope_filestorage_size_bytes"]
        ours = [
            dict(labels) for labels, size in sizes.items() if size == zeo.data_fs().stat().st_size
        ]
        assert {"site": "front1", "database": "main"} in ours
        zeo.stop()
        assert exporter.value("zope_process_up", site="front1", zope="storehouse") == 0


@pytest.mark.parametrize("zeo", [True, False], ids=["zeo", "filestorage"])
def test_a_buildout_under_zdaemon(
    make_buildout: Callable[..., Buildout], tmp_path: Path, zeo: bool
) -> None:
    buildout = make_buildout("portal", zeo=zeo)
    buildout.start()
    expected = {"instance": 1.0, "zeoserver": 1.0} if zeo else {"instance": 1.0}
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: services(exporter, "portal") == expected)
        data_fs = buildout.home / "var/filestorage/Data.fs"
        size = exporter.value("zope_filestorage_size_bytes", site="portal", database="main")
        assert size == data_fs.stat().st_size
        assert exporter.value("zope_ping_up", site="portal", target="instance") == 1
        assert exporter.value("zope_collector_success", collector="process") == 1
        assert [buildout.site.get("/nope").status_code for _ in range(5)] == [404] * 5
        log = {"site": "portal", "log": "instance-access"}
        missing = {**log, "method": "GET", "code": "404"}
        eventually(lambda: exporter.value("zope_http_requests_total", **missing) == 5)
        buildout.site.commit(["boom"], '<dtml-call "1/0">')
        assert buildout.site.get("/boom").status_code == 500
        told = {"site": "portal", "log": "instance-event", "pattern": "unhandled_exception"}
        eventually(lambda: exporter.value("zope_event_log_matches_total", **told) == 1)
        page = exporter.page()
        assert {
            value
            for labels, value in page["zope_log_unparsed_lines_total"].items()
            if ("site", "portal") in labels
        } == {0}
        assert watched(page, "portal", "instance") == {
            *("process", "configuration", "access_log", "event_log", "probe"),
            *(("zeo", "storage", "blobs") if zeo else ("storage", "blobs")),
        }
        if zeo:
            of_server = {"process", "configuration", "storage", "blobs", "event_log", "zeo"}
            assert watched(page, "portal", "zeoserver") == of_server
        paths = zope_exporter("paths", "portal", state_dir=tmp_path / "other").stdout
        assert f"EVENT_LOG={buildout.home}/var/log/instance.log\n" in paths
        assert f"ACCESS_LOG={buildout.home}/var/log/instance-access.log\n" in paths
        assert f"DATA_FS={data_fs}\n" in paths
        buildout.stop()
        assert services(exporter, "portal") == dict.fromkeys(expected, 0)
