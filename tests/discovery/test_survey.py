import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.support.faults.odd_files import ODD
from tests.support.zopes.lookalikes import program, running, zeo_client, zeo_instance, zope_instance
from zope_exporter.discovery.candidate import Source
from zope_exporter.discovery.conf.address import zeo_address
from zope_exporter.discovery.inventory import Database, Inventory, Process, Service, Site, Target
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.processes import Processes, find_processes
from zope_exporter.discovery.survey import Survey
from zope_exporter.discovery.watcher import Watcher

PROCESS = Process(4_000_000, 1.0)


class Host:
    """What runs on a made-up host, and the exporter's memory of it."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.sources: list[Source] = []
        self.problems: tuple[str, ...] = ()
        self.hidden = ""

    def survey(self, *declared: Site, discover: bool = True) -> Inventory:
        """Search as an exporter does that was started a moment ago."""
        return Survey(Memory(self.state), declared, discover, self.processes, frozenset)()

    def processes(self) -> Processes:
        return Processes(tuple(self.sources), self.problems, self.hidden)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def labels(inventory: Inventory) -> dict[str, dict[str, bool]]:
    """Each site's services by name, and whether they run."""
    return {
        site.name: {service.name: service.process is not None for service in site.services}
        for site in inventory.sites
    }


def main(data_fs: Path | None, blob_dir: Path | None = None) -> Database:
    """The main database of a Zope, as it is given by hand."""
    return Database("main", "filestorage", data_fs=data_fs, blob_dir=blob_dir)


def only(inventory: Inventory) -> Service:
    ((service,),) = (site.services for site in inventory.sites)
    return service


def test_a_service_that_stops_stays_across_restarts(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    conf = zeo_instance(tmp_path / "data", "127.0.0.1:8100")
    host.sources = [
        Source("zope", wsgi_ini=ini, process=PROCESS),
        Source("zeo", conf, process=Process(4_000_001, 1.0)),
    ]
    assert labels(host.survey()) == {"shop": {"shop": True, "data": True}}
    host.sources = []
    assert labels(host.survey()) == {"shop": {"shop": False, "data": False}}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_pid_file_is_a_problem_of_its_service_alone(
    tmp_path: Path, host: Host, kind: str
) -> None:
    ini = zope_instance(tmp_path / "odd")
    pid_file = tmp_path / "pid"
    conf = ini.with_name("zope.conf")
    conf.write_text(f"{conf.read_text()}pid-filename {pid_file}\n")
    other = zope_instance(tmp_path / "shop")
    host.sources = [
        Source("zope", wsgi_ini=ini, process=PROCESS),
        Source("zope", wsgi_ini=other, process=Process(4_000_001, 1.0)),
    ]
    host.survey()
    ODD[kind](pid_file)
    del host.sources[0]
    inventory = host.survey()
    assert labels(inventory) == {"odd": {"odd": False}, "shop": {"shop": True}}
    odd, shop = (service for site in inventory.sites for service in site.services)
    (problem,) = odd.problems
    assert problem.startswith(f"{pid_file}: ")
    assert shop.problems == ()


@pytest.mark.parametrize("given", ["config", "data_fs"])
def test_an_odd_pid_file_or_lock_of_a_declared_service_is_told_once(
    tmp_path: Path, host: Host, given: str
) -> None:
    if given == "config":
        odd = tmp_path / "pid"
        conf = zope_instance(tmp_path / "shop").with_name("zope.conf")
        conf.write_text(f"{conf.read_text()}pid-filename {odd}\n")
        declared = Service("zope", "", conf, pid_file=odd)
    else:
        odd = tmp_path / "Data.fs.lock"
        declared = Service("zope", "", None, databases=(main(tmp_path / "Data.fs"),))
    os.mkfifo(odd)
    service = only(host.survey(Site("shop", (declared,))))
    assert service.process is None
    assert service.problems == (f"{odd}: a FIFO, not a regular file; name a regular file",)


def test_a_missing_pid_file_is_no_problem(tmp_path: Path, host: Host) -> None:
    host.sources = [Source("zope", wsgi_ini=zope_instance(tmp_path / "shop"), process=PROCESS)]
    host.survey()
    host.sources = []
    assert only(host.survey()).problems == ()


def test_a_service_whose_configuration_is_gone_is_dropped(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "shop")
    host.sources = [Source("zope", wsgi_ini=ini, process=PROCESS)]
    host.survey()
    host.sources = []
    ini.with_name("zope.conf").unlink()
    assert labels(host.survey()) == {}
    assert Memory(host.state).load() == ()


def test_a_running_service_outlives_its_configuration(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "shop")
    host.sources = [Source("zope", wsgi_ini=ini, process=PROCESS)]
    host.survey()
    ini.with_name("zope.conf").unlink()
    assert labels(host.survey()) == {"shop": {"shop": True}}


def test_a_zope_that_moves_keeps_its_name(tmp_path: Path, host: Host) -> None:
    host.sources = [Source("zope", wsgi_ini=zope_instance(tmp_path / "old/shop"), process=PROCESS)]
    assert labels(host.survey()) == {"shop": {"shop": True}}
    moved = tmp_path / "new/shop"
    (tmp_path / "old").rename(tmp_path / "new")
    conf = moved / "etc/zope.conf"
    conf.write_text(conf.read_text().replace("/old/", "/new/"))
    host.sources = [Source("zope", wsgi_ini=moved / "etc/zope.ini", process=PROCESS)]
    assert labels(host.survey()) == {"shop": {"shop": True}}
    assert only(host.survey()).home == moved


def test_one_configuration_by_two_paths_is_one_service(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "release-1")
    (tmp_path / "current").symlink_to("release-1")
    host.sources = [Source("zope", wsgi_ini=ini, process=PROCESS)]
    host.survey()
    host.sources = [Source("zope", wsgi_ini=tmp_path / "current/etc/zope.ini")]
    assert labels(host.survey()) == {"release-1": {"release-1": False}}
    assert len(Memory(host.state).load()) == 1


def test_two_memories_of_one_service_become_one(tmp_path: Path, host: Host) -> None:
    host.sources = [Source("zope", wsgi_ini=zope_instance(tmp_path / "shop"), process=PROCESS)]
    host.survey()
    (row,) = Memory(host.state).load()
    (tmp_path / "link").symlink_to("shop")
    Memory(host.state).save([replace(row, config=tmp_path / "link/etc/zope.conf", name="link")])
    host.sources = []
    assert labels(host.survey()) == {"shop": {"shop": False}}
    assert Memory(host.state).load() == (row,)


def test_what_is_forgotten_is_gone_until_it_runs_again(tmp_path: Path, host: Host) -> None:
    source = Source("zope", wsgi_ini=zope_instance(tmp_path / "shop"), process=PROCESS)
    host.sources = [source]
    host.survey()
    host.sources = []
    Memory(host.state).forget("shop")
    assert labels(host.survey()) == {}
    host.sources = [source]
    assert labels(host.survey()) == {"shop": {"shop": True}}


def test_names_given_first_stay_when_an_equal_one_appears(tmp_path: Path, host: Host) -> None:
    late = Source("zope", wsgi_ini=zope_instance(tmp_path / "a/shop"), process=PROCESS)
    first = Source("zope", wsgi_ini=zope_instance(tmp_path / "b/shop"), process=PROCESS)
    host.sources = [first]
    host.survey()
    host.sources = [Source("zope", late.config, late.wsgi_ini), first]
    assert labels(host.survey()) == {"shop": {"shop": True}, "a-shop": {"shop": False}}


def test_paths_from_the_environment_are_known_when_it_has_stopped(
    tmp_path: Path, host: Host
) -> None:
    ini = zope_instance(tmp_path / "shop", "<filestorage>\n path $(STORE)/Data.fs\n</filestorage>")
    with ini.with_name("zope.conf").open("a") as conf:
        conf.write("<environment>\n TOKEN $(TOKEN)\n</environment>\n")
    environ = {"STORE": "/store", "TOKEN": "hunter2", "OTHER": "/other"}
    host.sources = [Source("zope", wsgi_ini=ini, environ=environ, process=PROCESS)]
    host.survey()
    host.sources = []
    (site,) = host.survey().sites
    assert [storage.data_fs for storage in site.storages] == [Path("/store/Data.fs")]
    assert [row.environ for row in Memory(host.state).load()] == [(("STORE", "/store"),)]


def test_a_site_is_settled_only_when_the_files_could_be_read(tmp_path: Path, host: Host) -> None:
    missing = tmp_path / "shop/etc/zope.conf"
    shared = zope_instance(tmp_path / "blog", zeo_client("127.0.0.1:8100"))
    broken = Source("zope", missing, process=Process(4_000_001, 1.0))
    host.sources = [Source("zope", wsgi_ini=shared, process=PROCESS), broken]
    assert labels(host.survey()) == {"blog": {"blog": True}, "shop": {"shop": True}}
    zope_instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    assert labels(host.survey()) == {"blog": {"blog": True, "shop": True}}


def test_a_declared_instance_is_there_whether_it_runs_or_not(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "inst")
    conf = ini.with_name("zope.conf")
    intranet = Site("intranet", (Service("zope", "main", conf),))
    assert labels(host.survey(intranet)) == {"intranet": {"main": False}}
    host.sources = [Source("zope", wsgi_ini=ini, process=PROCESS)]
    assert labels(host.survey(intranet)) == {"intranet": {"main": True}}
    assert only(host.survey(intranet)).urls == ("http://127.0.0.1:8080",)
    assert Memory(host.state).load() == ()


def test_what_was_discovered_is_merged_into_what_is_declared(tmp_path: Path, host: Host) -> None:
    address = "127.0.0.1:8100"
    first = zope_instance(tmp_path / "one", zeo_client(address))
    second = zope_instance(tmp_path / "two", zeo_client(address))
    host.sources = [
        Source("zope", wsgi_ini=first, process=PROCESS),
        Source("zope", wsgi_ini=second, process=Process(4_000_001, 1.0)),
        Source("zeo", zeo_instance(tmp_path / "data", address)),
    ]
    assert list(labels(host.survey())) == ["one"]
    declared = Site("intranet", (Service("zope", "", None, wsgi_ini=second),))
    expected = {"intranet": {"two": True, "one": True, "data": False}}
    assert labels(host.survey(declared)) == expected


def test_without_discovery_only_what_is_declared_is_watched(tmp_path: Path, host: Host) -> None:
    declared, other = zope_instance(tmp_path / "a"), zope_instance(tmp_path / "b")
    host.sources = [
        Source("zope", wsgi_ini=declared, process=PROCESS),
        Source("zope", wsgi_ini=other, process=Process(4_000_001, 1.0)),
    ]
    site = Site("intranet", (Service("zope", "", None, wsgi_ini=declared),))
    assert labels(host.survey(site, discover=False)) == {"intranet": {"a": True}}
    assert not host.state.exists()


def test_what_is_given_by_hand_outranks_the_files(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "shop")
    by_hand = Service(
        "zope",
        "",
        None,
        wsgi_ini=ini,
        databases=(main(Path("/hand/Data.fs"), Path("/hand/blobs")),),
        access_log=Path("/hand/access.log"),
        event_log=Path("/hand/event.log"),
        pid_file=Path("/hand/pid"),
        agent_socket=Path("/hand/agent.sock"),
    )
    inventory = host.survey(Site("intranet", (by_hand,)))
    service, (storage,) = only(inventory), inventory.sites[0].storages
    assert (storage.database, storage.data_fs) == ("main", Path("/hand/Data.fs"))
    assert storage.blob_dir == Path("/hand/blobs")
    assert service.access_log == Path("/hand/access.log")
    assert service.event_log == Path("/hand/event.log")
    assert service.pid_file == Path("/hand/pid")
    assert service.agent_socket == Path("/hand/agent.sock")
    assert service.agent_home == tmp_path / "shop/var"


@pytest.mark.parametrize("mount_point", ["", "mount-point $(ROOT)", "mount-point /shop"])
def test_a_data_fs_given_by_hand_counts_where_nothing_is_mounted_at_the_root(
    tmp_path: Path, host: Host, mount_point: str
) -> None:
    ini = zope_instance(tmp_path / "shop")
    conf = ini.with_name("zope.conf")
    name = "shop" if "/shop" in mount_point else "main"
    text = conf.read_text().replace("mount-point /", mount_point)
    conf.write_text(text.replace("zodb_db main", f"zodb_db {name}"))
    by_hand = main(Path("/hand/Data.fs"), Path("/hand/blobs"))
    given = Service("zope", "", None, ini, databases=(by_hand,))
    (site,) = host.survey(Site("intranet", (given,))).sites
    found = {each.database: (each.data_fs, each.blob_dir) for each in site.storages}
    assert found.pop("main") == (Path("/hand/Data.fs"), Path("/hand/blobs"))
    assert found == ({"shop": (tmp_path / "shop/var/Data.fs", None)} if name == "shop" else {})


def test_a_blob_dir_of_no_known_database_is_a_problem(tmp_path: Path, host: Host) -> None:
    ini = zope_instance(tmp_path / "shop")
    conf = ini.with_name("zope.conf")
    text = conf.read_text().replace("mount-point /", "mount-point /shop")
    conf.write_text(text.replace("zodb_db main", "zodb_db shop"))
    given = Service("zope", "", None, ini, databases=(main(None, Path("/hand/blobs")),))
    problems = only(host.survey(Site("intranet", (given,)))).problems
    assert problems == (f"{conf}: no database is mounted at /; give data_fs beside blob_dir",)


def test_a_zope_conf_given_by_hand_outranks_the_one_of_the_ini_file(
    tmp_path: Path, host: Host
) -> None:
    ini = zope_instance(tmp_path / "shop", port=8089)
    conf = zope_instance(tmp_path / "hand").with_name("zope.conf")
    running_one = Source("zope", wsgi_ini=ini, process=PROCESS)
    host.sources = [running_one]
    assert labels(host.survey()) == {"shop": {"shop": True}}
    given = Site("intranet", (Service("zope", "main", conf, ini),))
    for sources in [], [running_one]:
        host.sources = list(sources)
        inventory = host.survey(given)
        assert labels(inventory) == {"intranet": {"main": bool(sources)}}
        assert only(inventory).config == conf
        assert only(inventory).urls == ("http://127.0.0.1:8089",)
        (storage,) = inventory.sites[0].storages
        assert storage.data_fs == tmp_path / "hand/var/Data.fs"


def test_a_running_process_does_not_outrank_a_pid_file_given_by_hand(
    tmp_path: Path, host: Host
) -> None:
    conf = zope_instance(tmp_path / "shop").with_name("zope.conf")
    pid_file = tmp_path / "pid"
    declared = Site("intranet", (Service("zope", "", conf, pid_file=pid_file),))
    host.sources = [Source("zope", conf, process=PROCESS)]
    assert only(host.survey(declared)).process == PROCESS
    with running(program(tmp_path / "gunicorn"), cwd=tmp_path) as server:
        pid_file.write_text(f"{server.pid}\n")
        process = only(host.survey(declared)).process
        assert process is not None
        assert process.pid == server.pid


def test_an_instance_of_which_only_the_data_fs_is_known(tmp_path: Path, host: Host) -> None:
    file = tmp_path / "shop/var/filestorage/Data.fs"
    inventory = host.survey(Site("intranet", (Service("zope", "", None, databases=(main(file),)),)))
    (site,) = inventory.sites
    assert [storage.data_fs for storage in site.storages] == [file]
    assert labels(inventory) == {"intranet": {"shop": False}}
    assert site.services[0].problems == ()


def test_a_declared_zeo_server_may_have_its_address_given(tmp_path: Path, host: Host) -> None:
    conf = zeo_instance(tmp_path / "data", "0.0.0.0:8100")
    host.sources = [
        Source("zope", wsgi_ini=zope_instance(tmp_path / "shop", zeo_client("zeo.test:8100")))
    ]
    zeo = Service("zeo", "", conf, address=zeo_address("ZEO.test:8100"))
    assert labels(host.survey(Site("intranet", (zeo,)))) == {
        "intranet": {"data": False, "shop": False}
    }


def test_declared_targets_are_the_targets(host: Host) -> None:
    ping = Target("home", "http://127.0.0.1:1/")
    (site,) = host.survey(Site("intranet", targets=(ping,))).sites
    assert (site.name, site.targets) == ("intranet", (ping,))


def test_a_pid_file_given_by_hand_tells_the_process(tmp_path: Path, host: Host) -> None:
    conf = zope_instance(tmp_path / "shop").with_name("zope.conf")
    pid_file = tmp_path / "pid"
    declared = Site("intranet", (Service("zope", "", conf, pid_file=pid_file),))
    with running(program(tmp_path / "gunicorn"), cwd=tmp_path) as server:
        pid_file.write_text(f"{server.pid}\n")
        process = only(host.survey(declared)).process
        assert process is not None
        assert process.pid == server.pid
        os.utime(pid_file, (process.start_time - 100, process.start_time - 100))
        assert only(host.survey(declared)).process is None
    os.utime(pid_file)
    assert only(host.survey(declared)).process is None


@pytest.mark.parametrize("text", ["", "nonsense", "-1", "0", "99999999999999999999999", "\0"])
def test_a_pid_file_without_a_process_is_no_process(tmp_path: Path, host: Host, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    zope = Service("zope", "", zope_instance(tmp_path / "shop"), pid_file=tmp_path / "pid")
    assert only(host.survey(Site("intranet", (zope,)))).process is None


@pytest.mark.parametrize(("name", "runs"), [("runwsgi", True), ("gunicorn", False)])
def test_a_zope_that_may_not_be_looked_into_is_known_by_its_own_pid_file(
    tmp_path: Path, host: Host, name: str, runs: bool
) -> None:
    ini = zope_instance(tmp_path / "shop")
    host.sources = [Source("zope", wsgi_ini=ini, process=PROCESS)]
    host.survey()
    host.sources = []
    (tmp_path / "shop/var").mkdir()
    with running(program(tmp_path / name), "etc/zope.ini", cwd=tmp_path / "shop") as server:
        (tmp_path / "shop/var/Z4.pid").write_text(f"{server.pid}\n")
        assert labels(host.survey()) == {"shop": {"shop": runs}}


def test_problems_of_the_search_and_of_the_memory_are_told(tmp_path: Path, host: Host) -> None:
    host.problems = ("process 7 is hidden",)
    (tmp_path / "file").touch()
    host.state = tmp_path / "file/state"
    problems = host.survey().problems
    assert problems[0] == "process 7 is hidden"
    assert "file/state" in problems[1]


def test_real_processes_are_watched_from_start_to_end(tmp_path: Path) -> None:
    zope_instance(tmp_path / "shop", zeo_client("127.0.0.1:8100"))
    zeo_instance(tmp_path / "data", "127.0.0.1:8100")
    pids: list[int] = []

    def find() -> Processes:
        return find_processes(lambda: [psutil.Process(pid) for pid in pids])

    watcher = Watcher(Survey(Memory(tmp_path / "state"), find=find), interval=600)
    try:
        with (
            running(
                program(tmp_path / "runzeo"), "-C", "etc/zeo.conf", cwd=tmp_path / "data"
            ) as zeo,
            running(program(tmp_path / "runwsgi"), "etc/zope.ini", cwd=tmp_path / "shop") as zope,
        ):
            pids += [zeo.pid, zope.pid]
            inventory = watcher.rescan(30)
            assert labels(inventory) == {"shop": {"shop": True, "data": True}}
            (storage,) = inventory.sites[0].storages
            assert [owner.pid for owner in storage.owners] == [zeo.pid]
        pids.clear()
        assert labels(watcher.rescan(30)) == {"shop": {"shop": False, "data": False}}
    finally:
        watcher.stop()


def test_without_discovery_nothing_is_said_of_what_is_not_configured(
    tmp_path: Path, host: Host
) -> None:
    conf = zope_instance(tmp_path / "shop").with_name("zope.conf")
    strange = zope_instance(tmp_path / "strange")
    host.sources = [
        Source("zope", conf, process=PROCESS, problems=(f"{conf} is also run by process 8",)),
        Source("zope", wsgi_ini=strange, process=Process(4_000_001, 1.0), problems=("doubled",)),
    ]
    host.problems = ("process 7 is a Zope or ZEO server, but nothing is known of it",)
    inventory = host.survey(Site("shop", (Service("zope", "", conf),)), discover=False)
    assert inventory.problems == ()
    assert only(inventory).problems == (f"{conf} is also run by process 8",)


@pytest.mark.parametrize("runs", [True, False])
def test_without_discovery_hidden_processes_matter_only_to_what_is_not_seen_to_run(
    tmp_path: Path, host: Host, runs: bool
) -> None:
    conf = zope_instance(tmp_path / "shop").with_name("zope.conf")
    host.sources = [Source("zope", conf, process=PROCESS)] if runs else []
    host.hidden = "processes are hidden"
    inventory = host.survey(Site("shop", (Service("zope", "", conf),)), discover=False)
    assert inventory.problems == (() if runs else ("processes are hidden",))


def test_a_server_of_any_application_is_a_zope_if_its_ini_file_says_so(
    tmp_path: Path, host: Host
) -> None:
    ini = zope_instance(tmp_path / "shop")
    other = tmp_path / "pyramid.ini"
    other.write_text("[app:main]\nuse = egg:blog\n")
    host.sources = [
        Source("zope", wsgi_ini=ini, process=PROCESS, of_any_application=True),
        Source("zope", wsgi_ini=other, process=PROCESS, of_any_application=True),
    ]
    inventory = host.survey()
    assert labels(inventory) == {"shop": {"shop": True}}
    assert inventory.problems == only(inventory).problems == ()


def test_other_sections_of_an_ini_file_are_those_the_process_was_told(
    tmp_path: Path, host: Host
) -> None:
    ini = zope_instance(tmp_path / "shop")
    ini.write_text(
        f"{ini.read_text()}[server:alt]\nuse = egg:waitress#main\nport = 8099\n"
        "[filter:f]\nuse = egg:f\n[pipeline:other]\npipeline = f zope\n"
    )
    told = (("#app", "other"), ("#server", "alt"))
    host.sources = [Source("zope", wsgi_ini=ini, variables=told, process=PROCESS)]
    service = only(host.survey())
    assert service.urls == ("http://127.0.0.1:8099",)
    assert service.pipeline == ("f", "zope")


def test_a_zeo_server_without_zeo_conf_is_watched_and_missed(tmp_path: Path, host: Host) -> None:
    data_fs = tmp_path / "shop/var/Data.fs"
    data_fs.parent.mkdir(parents=True)
    data_fs.touch()
    told = (("address", "localhost:8100"), ("filename", str(data_fs)), ("monitor", "8101"))
    host.sources = [Source("zeo", variables=told, process=PROCESS)]
    (site,) = host.survey().sites
    (storage,) = site.storages
    assert (site.name, storage.data_fs, storage.owners) == ("shop", data_fs, (PROCESS,))
    assert [(server.address, server.monitor) for server in site.zeo] == [
        ("127.0.0.1:8100", "127.0.0.1:8101")
    ]
    host.sources = []
    assert labels(host.survey()) == {"shop": {"shop": False}}
    data_fs.unlink()
    assert labels(host.survey()) == {}


def test_the_address_of_a_command_line_outranks_that_of_zeo_conf(
    tmp_path: Path, host: Host
) -> None:
    conf = zeo_instance(tmp_path / "data", "127.0.0.1:8100")
    shop = zope_instance(tmp_path / "shop", zeo_client("127.0.0.1:8200"))
    host.sources = [
        Source("zeo", conf, variables=(("address", "127.0.0.1:8200"),), process=PROCESS),
        Source("zope", wsgi_ini=shop, process=Process(4_000_001, 1.0)),
    ]
    assert labels(host.survey()) == {"shop": {"shop": True, "data": True}}


def test_an_address_of_a_command_line_that_is_none_is_told(tmp_path: Path, host: Host) -> None:
    conf = zeo_instance(tmp_path / "data", "127.0.0.1:8100")
    host.sources = [Source("zeo", conf, variables=(("address", "x:y"),), process=PROCESS)]
    service = only(host.survey())
    assert service.address == "127.0.0.1:8100"
    assert "address of its command line" in service.problems[0]
