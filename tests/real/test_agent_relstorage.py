"""RelStorage on real databases as the agent tells of it, with a word a minute to the database."""

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases.postgres import Postgres
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.agent_answers import AgentSocket, agent_of
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.instances import ZopeInstance, timed
from tests.support.zopes.manager import undisturbed
from tests.support.zopes.pages import publish_pages

StartZope = Callable[..., ZopeInstance]
_ASKED = re.compile(r"LOG:  (?:statement|execute|connection received)")


@pytest.fixture(scope="session")
def relstorage(add_agent: Callable[[Environment], Environment]) -> Environment:
    return add_agent(require(environment, "relstorage"))


def section(adapter: str) -> str:
    return f"%import relstorage\n<relstorage>\n  cache-local-mb 7\n{adapter}</relstorage>\n"


def main_database(agent: AgentSocket) -> dict[str, Any]:
    status = agent.status()
    assert status["errors"] == {}
    assert status["instance"]["versions"]["RelStorage"] == "4.3.0"
    found: dict[str, Any] = status["databases"]["main"]
    assert found["storage"] == "RelStorage"
    return found


def check_what_is_told(zope: ZopeInstance, agent: AgentSocket) -> None:
    zope.site.commit(["one", "two"])
    assert zope.site.get("/one").status_code == 200
    found = main_database(agent)
    cache = found["relstorage"]["cache"]
    assert cache["limit_bytes"] == 7_000_000
    assert cache["hits"] + cache["misses"] > 0
    assert cache["objects"] > 0
    assert 0 < cache["bytes"] < cache["limit_bytes"]
    pool = found["relstorage"]["store_connections"]
    assert pool["open"] >= pool["pooled"] >= 1
    assert found["activity"]["transactions"] >= 2
    assert "zeo" not in found
    check_what_the_database_holds(agent)
    assert agent.send("POST", "/v1/pack", {"database": "main", "days": 0}).status_code == 202
    eventually(lambda: not agent.get("/v1/pack")["packs"]["main"]["running"], 60)
    assert agent.get("/v1/pack")["packs"]["main"]["error"] is None


def check_what_the_database_holds(agent: AgentSocket) -> None:
    """The first look at it is as old as Zope, and nobody has to wait for it."""
    found = eventually(lambda: main_database(agent).get("sql"))
    assert found is not None
    assert 0 < found["objects"] < 5000
    assert 10_000 < found["bytes"] < 100_000_000
    assert time.time() - 600 < found["last_transaction"] <= time.time() + 1


COUNTED = """\
import json
import sys

import transaction
import ZODB
import ZODB.config
from persistent.mapping import PersistentMapping
from persistent.TimeStamp import TimeStamp
from Products.ZopeExporterAgent import sql_statistics

storage = ZODB.config.storageFromString(sys.stdin.read())
database = ZODB.DB(storage)
with database.transaction() as connection:
    for number in range(300):
        connection.root()[number] = PersistentMapping()
with database.transaction() as connection:
    connection.root()["again"] = connection.root()[7]["news"] = PersistentMapping()
tid = storage.lastTransaction()
dialect = sql_statistics.DIALECTS[type(storage._adapter).__name__]
told = []
# All that there is, fewer than there are, and again by what the server estimates.
for most, analyze in ((1000, False), (100, False), (100, True)):
    if analyze:
        storage._adapter.stats.large_database_change()
    dialect.most = most
    statistics = sql_statistics.SqlStatistics()
    found = None
    while found is None:
        found = statistics.of(storage._adapter)
    told.append(found)
json.dump({"told": told, "last": TimeStamp(tid).timeTime(), "size": storage.getSize()}, sys.stdout)
database.close()
"""


def counted(relstorage: Environment, storage: str) -> dict[str, Any]:
    """What is found of a storage of 302 objects, one of which has two revisions."""
    command: list[str | Path] = [relstorage.script("python"), "-c", COUNTED]
    run = subprocess.run(
        command, check=False, input=storage, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    assert [each["last_transaction"] for each in found["told"]] == [found["last"]] * 3
    return found


@pytest.mark.parametrize("history", ["true", "false"])
def test_what_sqlite_holds(relstorage: Environment, tmp_path: Path, history: str) -> None:
    adapter = f"  keep-history {history}\n  <sqlite3>\n    data-dir {tmp_path}/db\n  </sqlite3>\n"
    found = counted(relstorage, section(adapter))
    assert [each["objects"] for each in found["told"]] == [302, None, None]
    # What is in the log only so far is part of it.
    assert {each["bytes"] >= 4096 for each in found["told"]} == {True}


@pytest.mark.parametrize("history", ["true", "false"])
def test_what_postgresql_holds(
    relstorage: Environment, tmp_path: Path, ending: ExitStack, history: str
) -> None:
    postgres = ending.enter_context(require(Postgres, tmp_path / "postgres"))
    adapter = f"  keep-history {history}\n  <postgresql>\n    dsn {postgres.dsn}\n  </postgresql>\n"
    found = counted(relstorage, section(adapter))
    assert [each["objects"] for each in found["told"]] == [302, None, 302]
    assert found["told"][-1]["bytes"] == pytest.approx(found["size"], rel=0.1)
    assert "SET LOCAL statement_timeout" in postgres.log.read_text()


def test_on_sqlite(relstorage: Environment, start_zope: StartZope, tmp_path: Path) -> None:
    (tmp_path / "sqlite").mkdir()
    adapter = f"  <sqlite3>\n    data-dir {tmp_path}/sqlite\n  </sqlite3>\n"
    zope = start_zope(relstorage, storage=timed(section(adapter)))
    agent = agent_of(zope.home)
    check_what_is_told(zope, agent)
    publish_pages(zope, ("crowd", "slow"))
    assert zope.site.get("/crowd").text == "crowded"
    assert zope.site.get("/slow").text == "435"
    eventually(lambda: not agent.status()["requests"]["in_progress"])
    views = agent.status()["requests"]["views"]
    [row] = (row for name, row in views["hour"].items() if name.endswith("/slow"))
    slow = dict(zip(views["fields"], row, strict=True))
    assert slow["loads"] >= 30
    assert 0 < slow["load_seconds"] <= slow["seconds"] - 0.2


def test_on_postgresql(
    relstorage: Environment, start_zope: StartZope, tmp_path: Path, ending: ExitStack
) -> None:
    postgres = ending.enter_context(require(Postgres, tmp_path / "postgres"))
    adapter = f"  <postgresql>\n    dsn {postgres.dsn}\n  </postgresql>\n"
    zope = start_zope(relstorage, storage=section(adapter))
    agent = agent_of(zope.home)
    check_what_is_told(zope, agent)

    def asked() -> int:
        return len(_ASKED.findall(postgres.log.read_text()))

    def asked_by_the_agent() -> int:
        before = asked()
        for _ in range(3):
            main_database(agent)
            agent.get("/v1/requests")
        return asked() - before

    assert undisturbed(asked_by_the_agent, lambda queries: queries == 0) == 0
    before = asked()
    assert zope.site.get("/one").status_code == 200
    assert asked() > before

    postgres.stop()

    def failures() -> Counter[str]:
        status = agent.status()
        assert status["errors"].keys() <= {"databases.main.sql"}
        requests = status["requests"]
        return Counter(requests["responses"]) + Counter(requests["exceptions"])

    def failed() -> Counter[str]:
        before = failures()
        answers = [zope.site.get("/one").status_code for _ in range(2)]
        assert answers == [500, 500]
        return failures() - before

    told = undisturbed(failed, lambda told: told["500"] == 2)
    assert told == {"500": 2, "OperationalError": 2}
