"""Packing real databases through whatever owns them, found by discovery."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.databases.packing import AT_ONCE, Remembered
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.instances import ZopeInstance, timed
from tests.support.zopes.manager import MANAGER
from zope_exporter.config.load import load_config
from zope_exporter.config.search import search
from zope_exporter.discovery.inventory import Database, Process, Service
from zope_exporter.maintenance.actions.databases import site_databases
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError
from zope_exporter.maintenance.pack.choose_engine import choose
from zope_exporter.maintenance.pack.plan import about_pack
from zope_exporter.maintenance.pack.preconditions import refusals
from zope_exporter.maintenance.pack.relstorage_engine import RelStorageEngine
from zope_exporter.maintenance.pack.run import pack
from zope_exporter.maintenance.pack.target import PackResult, PackTarget

StartZope = Callable[..., ZopeInstance]
TEXT = "some text\n" * 30_000
SEARCH_SECONDS = 60.0


def target_of(config_path: Path, tmp_path: Path, settings: str = "") -> PackTarget:
    """What discovery finds of the Zope or ZEO server with this configuration, by itself."""
    config = tmp_path / "zope-exporter.yml"
    config.write_text(settings)
    for database in site_databases(search(load_config(config), SEARCH_SECONDS)):
        if any(service.config == config_path for service, _ in database.uses):
            return PackTarget(database.storage, choose(database.storage, database.uses))
    raise AssertionError(f"{config_path} was not found")


def make_garbage(zope: ZopeInstance) -> None:
    zope.site.commit(["kept"])
    for _ in range(3):
        zope.site.commit(["gone"], TEXT)
        deleted = zope.site.post("/manage_delObjects", {"ids:list": "gone"})
        assert deleted.status_code in (200, 302)


def check_packed(zope: ZopeInstance, result: PackResult, engine: str) -> None:
    assert result.engine == engine
    assert result.freed
    assert result.freed > len(TEXT)
    assert result.after.old == result.before.data
    assert zope.site.get("/kept").status_code == 200
    zope.site.commit(["later"])


def login(zope: ZopeInstance, tmp_path: Path, password: str = MANAGER[1]) -> str:
    secret = tmp_path / "password"
    secret.write_text(password)
    return (
        f"sites: [{{name: {zope.home.name}, instances: [{{zope_conf: {zope.zope_conf},"
        f" zmi: {{url: '{zope.site.url}', username: {MANAGER[0]}, password_file: {secret}}}}}]}}]\n"
    )


def test_through_the_agent(any_agent: Environment, start_zope: StartZope, tmp_path: Path) -> None:
    zope = start_zope(any_agent, f"packed-{any_agent.name}")
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path)
    report = Remembered()
    answers = about_pack(target.storage, target.engine, AT_ONCE, time.time())
    told = {each.name: each for each in answers}
    assert [*refusals(target.storage, AT_ONCE, time.time())] == []
    result = pack(target, AT_ONCE, report)
    check_packed(zope, result, "the agent in Zope")
    assert told["way"].facts["engine"] == result.engine
    assert told["room"].facts["kept_as_old_bytes"] == result.after.old
    assert told["room"].facts["written_bytes"] >= (result.after.data or 0)
    assert report.stages[1][0] == "packing through the agent in Zope"


def test_a_stuck_pack_is_explained_and_not_brought_about(
    agent63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(agent63, "stuck")
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path)
    assert target.data_fs is not None
    old = target.data_fs.with_name("Data.fs.old")
    old.mkdir()
    with pytest.raises(RefusedError) as refused:
        pack(target, AT_ONCE, Remembered())
    assert refused.value.code == "old"
    blind = PackTarget(None, target.engine)
    with pytest.raises(ActionError):
        pack(blind, AT_ONCE, Remembered())
    old.rmdir()
    with pytest.raises(ActionError) as failed:
        pack(blind, AT_ONCE, Remembered())
    assert failed.value.stage in ("packing", "preconditions")
    assert "pack" in failed.value.reason


def test_through_the_zmi(any_zope: Environment, start_zope: StartZope, tmp_path: Path) -> None:
    zope = start_zope(any_zope, f"managed-{any_zope.name}")
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path, login(zope, tmp_path))
    check_packed(zope, pack(target, AT_ONCE, Remembered()), "the ZMI")


def test_a_wrong_password_is_a_refusal_that_does_not_tell_it(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "locked")
    target = target_of(zope.zope_conf, tmp_path, login(zope, tmp_path, "Wr0ng"))
    with pytest.raises(RefusedError) as refused:
        pack(target, AT_ONCE, Remembered())
    assert refused.value.code == "zmi"
    assert "Wr0ng" not in str(refused.value)


def test_a_zope_with_neither_is_refused_with_the_remedy(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, "alone")
    with pytest.raises(RefusedError) as refused:
        target_of(zope.zope_conf, tmp_path)
    assert refused.value.code == "no_way"
    assert "zmi:" in refused.value.remedy
    # And when it is stopped, the file itself is packed.
    make_garbage(zope)
    zope.stop()
    stopped = f"sites: [{{name: alone, instances: [{{zope_conf: {zope.zope_conf}}}]}}]"
    target = target_of(zope.zope_conf, tmp_path, stopped)

    def packed() -> PackResult | None:
        try:
            return pack(target, AT_ONCE, Remembered())
        except RefusedError as error:
            # An exporter of another test may be reading the Data.fs of whatever Zope it has found.
            if error.code == "open":
                return None
            raise

    result = eventually(packed)
    assert result is not None
    zope.start()
    check_packed(zope, result, "the file")


@pytest.mark.parametrize("name", ["zope63", "zope48"])
def test_through_zeo_servers_of_two_generations(
    name: str, request: pytest.FixtureRequest, start_zope: StartZope,
    start_zeo: Callable[..., ZeoServer], tmp_path: Path,
) -> None:  # fmt: skip
    generation: Environment = request.getfixturevalue(name)
    zeo = start_zeo(generation, f"zeo-{name}", storages=("main",))
    zope = start_zope(generation, f"client-{name}", storage=zeo.client("main"))
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path)
    check_packed(zope, pack(target, AT_ONCE, Remembered()), "the ZEO server")
    assert "complete" in zeo.event_log.read_text()


def test_a_zope_killed_while_it_packs_leaves_all_that_was_committed(
    agent63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(agent63, "killed")
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path)
    died: ActionError | None = None
    try:
        pack(target, AT_ONCE, KillsZope(zope))
    except ActionError as error:
        died = error
    zope.server.end()
    # That quickly it may even be done.
    assert died is None or "the Data.fs is that of before" in died.reason
    zope.start()
    assert zope.site.get("/kept").status_code == 200


class KillsZope(Remembered):
    """A report that kills the Zope once the pack has begun."""

    def __init__(self, zope: ZopeInstance) -> None:
        super().__init__()
        self._zope = zope

    def say(self, text: str) -> None:
        super().say(text)
        if "has started pack" in text:
            os.kill(self._zope.pid, signal.SIGKILL)


@pytest.fixture
def relstorage() -> Environment:
    return require(environment, "relstorage")


@pytest.mark.parametrize(("keep_history", "is_timed"), [("true", False), ("false", True)])
def test_a_relstorage_by_its_own_zodbpack(
    relstorage: Environment,
    add_agent: Callable[[Environment], Environment],
    start_zope: StartZope,
    tmp_path: Path,
    keep_history: str,
    is_timed: bool,
) -> None:
    data = tmp_path / "sqlite"
    data.mkdir()
    storage = (
        "%import relstorage\n<relstorage>\n"
        f"keep-history {keep_history}\n<sqlite3>\ndata-dir {data}\n</sqlite3>\n</relstorage>\n"
    )
    if is_timed:
        zope = start_zope(add_agent(relstorage), "sql", storage=timed(storage))
    else:
        zope = start_zope(relstorage, "sql", storage=storage)
    make_garbage(zope)
    target = target_of(zope.zope_conf, tmp_path)
    report = Remembered()
    result = pack(target, AT_ONCE, report)
    assert result.engine == "zodbpack"
    assert re.search(r"pack: .*(finished|complete|removed)", report.text), report.text
    assert zope.site.get("/kept").status_code == 200
    assert zope.site.get("/gone").status_code == 404
    zope.site.commit(["later"])


def test_a_secret_of_a_relstorage_is_on_no_command_line_and_in_no_message(
    relstorage: Environment, start_zope: StartZope, tmp_path: Path
) -> None:

    zope = start_zope(relstorage, "instance")
    conf = tmp_path / "zope.conf"
    conf.write_text(
        "<zodb_db main>\n<relstorage>\n<postgresql>\n"
        "dsn dbname='zodb' host='127.0.0.1' port='1' user='zope' password='S3cr3tWord'\n"
        "</postgresql>\n</relstorage>\nmount-point /\n</zodb_db>\n"
    )
    process = Process(zope.pid, psutil.Process(zope.pid).create_time())
    service = Service("zope", "instance", conf, process=process)
    database = Database("main", "relstorage")
    report = Watching()
    with pytest.raises(ActionError) as failed:
        pack(PackTarget(None, RelStorageEngine(service, database)), AT_ONCE, report)
    assert report.lines_seen
    assert "S3cr3tWord" not in report.text + str(failed.value) + report.lines_seen


class Watching(Remembered):
    """A report that reads the command lines of our children while the pack runs."""

    lines_seen = ""

    def check(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has just ended
                self.lines_seen += " ".join(process.cmdline())
