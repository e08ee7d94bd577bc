"""Databases of real Zopes as the agent tells of them, and what it leaves alone."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import AgentSocket, agent_of, counts
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.pages import gate, publish_pages

StartZope = Callable[..., ZopeInstance]


def finally_true(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    found = eventually(look)
    assert found is not None
    return found


def database(agent: AgentSocket, name: str = "main") -> dict[str, Any]:
    status = agent.status()
    assert status["errors"] == {}
    found: dict[str, Any] = status["databases"][name]
    return found


def second_database(directory: Path) -> str:
    """Lines of zope.conf for a database called `other`."""
    return (
        f"<zodb_db other>\n  <filestorage>\n    path {directory}/Other.fs\n  </filestorage>\n"
        "  mount-point /other\n  cache-size 77\n  pool-size 3\n</zodb_db>\n"
    )


def test_what_is_loaded_stored_and_kept_is_counted(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent)
    agent = agent_of(zope.home)
    before = database(agent)
    zope.site.commit(["one", "two", "three"])
    after = finally_true(lambda: idle(agent))
    assert after["activity"]["transactions"] - before["activity"]["transactions"] == 3
    assert after["activity"]["stores"] - before["activity"]["stores"] >= 3
    assert after["activity"]["closes"] - before["activity"]["closes"] >= 3
    assert after["connections"]["idle"] >= 1
    assert after["cache"]["active"] > 0
    assert after["cache"]["bytes"] > 0
    assert (after["cache"]["target_objects"], after["cache"]["target_bytes"]) == (5000, 0)
    assert after["connections"]["pool_size"] == 7
    assert (after["storage"], after["pack_running"]) == ("FileStorage", False)
    assert {"zeo", "relstorage"}.isdisjoint(after)


def idle(agent: AgentSocket) -> dict[str, Any] | None:
    found = database(agent)
    return None if found["connections"]["in_use"] else found


def test_every_database_of_the_process_is_told_of(
    any_agent: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(any_agent, settings=second_database(tmp_path))
    publish_pages(zope)
    agent = agent_of(zope.home)
    assert zope.site.get("/open_database?name=other").text == "opened"
    other = database(agent, "other")
    assert other["cache"]["target_objects"] == 77
    assert other["connections"]["pool_size"] == 3
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(zope.site.get, ["/clash?database=other"] * 2))
    assert [it.status_code for it in answers] == [200, 200]
    conflicts = agent.status()["conflicts"]
    assert counts(conflicts, database="other", kind="write", outcome="retried") == 1
    assert counts(conflicts) == 1
    grown = database(agent, "other")["activity"]
    assert grown["transactions"] - other["activity"]["transactions"] == 2


def test_a_connection_no_request_holds_is_leaked(
    agent63: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(agent63)
    publish_pages(zope)
    agent = agent_of(zope.home)
    gate(zope.home).touch()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(zope.site.get, "/hold")
        eventually(lambda: database(agent)["connections"]["in_use"] == 1)
        since = database(agent)["connections"]["oldest_open"]
        assert zope.site.get("/leak").text == "leaked"
        # Both are open for longer than any request but one takes.
        eventually(lambda: agent.status()["requests"]["long"]["count"] == 1)
        connections = database(agent)["connections"]
        assert (connections["in_use"], connections["leaked"]) == (2, 0)
        assert connections["oldest_open"] == since
        gate(zope.home).unlink()
        assert held.result().status_code == 200
    eventually(lambda: database(agent)["connections"]["leaked"] == 1)
    assert database(agent)["connections"]["in_use"] == 1
    zope.site.get("/plug")
    assert database(agent)["connections"]["leaked"] == 0


def test_it_takes_no_lock_opens_no_connection_and_asks_no_storage(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent)
    publish_pages(zope)
    agent = agent_of(zope.home)
    assert zope.site.get("/spy").text == "watching"
    for page in ("/v1/status", "/v1/requests", "/v1/views", "/v1/pack", "/v1/status"):
        agent.get(page)
    assert database(agent)["storage"] == "FileStorage"
    noticed = json.loads(zope.site.get("/caught").text)
    # Who serves requests does all of it, so that the spies are known to see.
    workers = [line for line in noticed if "zope-exporter" not in line]
    for what in ("lock.acquire", "database.open"):
        assert any(what in line for line in workers), noticed
    assert [line for line in noticed if "zope-exporter" in line] == []


def test_a_pack_runs_once_and_says_how_it_ended(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent)
    zope.site.commit([f"method{number}" for number in range(5)], "x" * 10_000)
    agent = agent_of(zope.home)
    data_fs = zope.home / "var/Data.fs"
    size = data_fs.stat().st_size
    assert agent.get("/v1/pack")["packs"] == {}
    first = agent.send("POST", "/v1/pack", {"database": "main", "days": 0})
    assert (first.status_code, first.json()) == (202, {"protocol": 1, "id": 1})
    pack = finally_true(lambda: ended(agent))
    assert pack["error"] is None
    assert pack["id"] == 1
    assert pack["end"] >= pack["start"]
    assert data_fs.stat().st_size < size
    assert data_fs.with_name("Data.fs.old").stat().st_size == size
    assert agent.send("POST", "/v1/pack", {"database": "main", "days": 1}).status_code == 202
    assert finally_true(lambda: ended(agent))["id"] == 2


def ended(agent: AgentSocket) -> dict[str, Any] | None:
    pack: dict[str, Any] = agent.get("/v1/pack")["packs"]["main"]
    return None if pack["running"] else pack


def test_what_cannot_be_packed_is_refused(agent63: Environment, start_zope: StartZope) -> None:
    zope = start_zope(agent63)
    agent = agent_of(zope.home)
    refusals: dict[int, list[object]] = {
        404: [{"database": "other", "days": 1}],
        400: [
            {},
            [],
            {"database": "main"},
            {"database": "main", "days": -1},
            {"database": "main", "days": "soon"},
            {"database": "main", "days": float("1e9")},
        ],
    }
    for status, orders in refusals.items():
        for order in orders:
            assert agent.send("POST", "/v1/pack", order).status_code == status, order
    assert agent.send("PUT", "/v1/pack").status_code == 405
    assert agent.get("/v1/pack")["packs"] == {}


def test_what_no_record_is_read_for_is_refused(agent63: Environment, start_zope: StartZope) -> None:
    agent = agent_of(start_zope(agent63).home)
    refusals: dict[int, list[object]] = {
        404: [{"database": "other", "oids": [0]}, {"database": "main", "oids": [0]}],
        400: [
            {"database": "main"},
            {"database": "main", "oids": []},
            {"database": "main", "oids": [-1]},
            {"database": "main", "oids": ["0; DROP TABLE object_state"]},
            {"database": "main", "oids": [2**63]},
            {"database": "main", "oids": list(range(101))},
        ],
    }
    for status, orders in refusals.items():
        for order in orders:
            assert agent.send("POST", "/v1/records", order).status_code == status, order
    assert agent.send("GET", "/v1/records").status_code == 405


def test_who_may_read_the_socket_only_gets_no_record(
    agent63: Environment, start_zope: StartZope
) -> None:
    with public_directory() as directory:
        lines = f"  socket-mode 0666\n  socket-directory {directory}\n"
        start_zope(agent63, settings=f"<product-config zope-exporter>\n{lines}</product-config>\n")
        agent = agent_of(directory)
        with unprivileged():
            assert agent.status()["errors"] == {}
            refused = agent.send("POST", "/v1/records", {"database": "other", "oids": [0]})
    # Who is not root here is the user that Zope runs as.
    assert refused.status_code == (403 if os.geteuid() == 0 else 404)
