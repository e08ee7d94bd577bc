"""Requests of real Zopes as the agent tells of them, against what their clients saw."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.support.programs.processes import eventually
from tests.support.programs.server import free_port
from tests.support.zopes.agent_answers import AgentSocket, agent_of, counts
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import undisturbed
from tests.support.zopes.pages import burning, gate, publish_pages

StartZope = Callable[..., ZopeInstance]
PAGES = ("/fine", "/nope", "/boom", "/stream", "/download", "/nope")
SETTINGS = "<product-config zope-exporter>\n  long-request-threshold 0.2\n</product-config>\n"


def answered(agent: AgentSocket) -> Counter[str]:
    """The answers by status, once nothing is under way."""

    def read() -> dict[str, Any] | None:
        status = agent.status()
        assert status["errors"] == {}
        found: dict[str, Any] = status["requests"]
        assert sum(found["responses"].values()) == sum(found["duration"]["counts"])
        return None if found["in_progress"] else found

    found = eventually(read)
    assert found is not None
    return Counter(found["responses"])


def asked_alone(agent: AgentSocket, ask: Callable[[], Counter[str]]) -> Counter[str]:
    """Ask, and hold what the agent counted against it; return what it counted."""

    def look() -> tuple[Counter[str], Counter[str]]:
        before = answered(agent)
        seen = ask()
        return answered(agent) - before, seen

    told, seen = undisturbed(look, lambda found: found[0].total() == found[1].total())
    assert told == seen
    return told


def ask_for_pages(zope: ZopeInstance) -> Counter[str]:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(zope.site.get, PAGES * 10))
    seen = Counter(str(it.status_code) for it in responses)
    assert {len(it.content) for it in responses[4::6]} == {300_000}
    with httpx.Client(base_url=zope.site.url, trust_env=False) as anonymous:
        seen[str(anonymous.get("/manage_main").status_code)] += 1
        seen[str(anonymous.head("/fine").status_code)] += 1
    return seen


def test_answers_are_counted_as_their_clients_saw_them(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent)
    publish_pages(zope)
    agent = agent_of(zope.home)
    raised: Counter[str] = Counter()

    def ask() -> Counter[str]:
        raised.clear()
        raised.update(agent.status()["requests"]["exceptions"])
        return ask_for_pages(zope)

    seen = asked_alone(agent, ask)
    broken = "503" if any_agent.name == "zope213" else "500"
    assert seen == {"200": 31, "401": 1, "404": 20, broken: 10}
    exceptions = Counter(agent.status()["requests"]["exceptions"]) - raised
    assert exceptions == {"KeyError": 10, "NotFound": 20, "Unauthorized": 1}


def test_workers_that_are_stuck_are_seen_with_what_they_do(
    any_agent: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(any_agent, settings=SETTINGS, threads=2)
    publish_pages(zope)
    agent = agent_of(zope.home)
    gate(zope.home).touch()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(zope.site.get, "/hold?secret=sesame") for _ in range(3)]

        def stuck() -> dict[str, Any] | None:
            # More may wait: whatever else watches this host may ask for a page of its own.
            status = agent.status()
            queued, long = status["workers"]["queue"], status["requests"]["long"]["count"]
            return status if queued >= 1 and long == 2 else None

        status = eventually(stuck)
        assert status is not None
        long = agent.get("/v1/requests")
        gate(zope.home).unlink()
        assert [it.result().status_code for it in waiting] == [200] * 3
    assert status["workers"]["threads"] == status["workers"]["busy"] == 2
    assert status["workers"]["channels"] >= 3
    assert status["requests"]["in_progress"] == 2
    assert status["databases"]["main"]["connections"]["in_use"] == 2
    assert status["databases"]["main"]["connections"]["leaked"] == 0
    first, second = long["requests"]
    assert status["requests"]["oldest_start"] == first["start"] <= second["start"]
    assert first["thread"] != second["thread"]
    assert first["method"] == "GET"
    assert first["url"] == "/hold?secret"
    assert any(line.endswith(" hold") for line in first["stack"])
    assert "sesame" not in str(long)
    eventually(lambda: agent.get("/v1/requests")["requests"] == [])


def test_workers_that_use_all_processors_leave_it_an_answer(
    agent63: Environment, start_zope: StartZope
) -> None:
    zope = start_zope(agent63)
    publish_pages(zope)
    agent = agent_of(zope.home)
    burning(zope.home).touch()
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(zope.site.get, "/burn", timeout=60) for _ in range(4)]
        eventually(lambda: agent.status()["workers"]["busy"] == 4)
        assert agent.status()["requests"]["in_progress"] == 4
        burning(zope.home).unlink()
        assert [it.result().text for it in busy] == ["burnt"] * 4


def test_two_listeners_count_as_one_server(agent63: Environment, start_zope: StartZope) -> None:
    first = start_zope(agent63, name="two")
    first.stop()
    ini, second = first.zope_ini.read_text(), free_port()
    ini = ini.replace("host = 127.0.0.1\n", "").replace(
        f"port = {first.port}\n", f"listen = 127.0.0.1:{first.port} 127.0.0.1:{second}\n"
    )
    first.zope_ini.write_text(ini)
    first.start()
    agent = agent_of(first.home)
    other = f"http://127.0.0.1:{second}/"

    def ask() -> Counter[str]:
        answers = [httpx.get(url, trust_env=False) for url in (first.site.url, other, other)]
        return Counter(str(it.status_code) for it in answers)

    assert asked_alone(agent, ask) == {"200": 3}


def test_conflicts_are_counted_by_their_end(any_agent: Environment, start_zope: StartZope) -> None:
    zope = start_zope(any_agent)
    publish_pages(zope)
    agent = agent_of(zope.home)
    assert all(row["count"] == 0 for row in agent.status()["conflicts"])
    retried = clash(zope, "/clash")
    assert retried == {200: 2}
    found = agent.status()["conflicts"]
    assert counts(found, database="main", kind="write", outcome="retried") == 1
    assert counts(found) == 1
    given_up = clash(zope, "/clash?retries:int=0")
    assert given_up == {200: 1, 500: 1}
    found = agent.status()["conflicts"]
    assert counts(found, database="main", kind="write", outcome="failed") == 1
    assert counts(found) == 2


def clash(zope: ZopeInstance, page: str) -> Counter[int]:
    assert zope.site.get("/part").text == "parted"
    with ThreadPoolExecutor(2) as pool:
        return Counter(it.status_code for it in pool.map(zope.site.get, [page] * 2))
