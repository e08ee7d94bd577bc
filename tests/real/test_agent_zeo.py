"""Clients of a real ZEO server as their agents tell of them, while the server goes and comes."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.agent_answers import AgentSocket, agent_of
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance, timed

StartZope = Callable[..., ZopeInstance]
StartZeo = Callable[..., ZeoServer]


def client(agent: AgentSocket) -> dict[str, Any]:
    status = agent.status()
    assert status["errors"] == {}
    assert status["databases"]["main"]["storage"] == "ClientStorage"
    found: dict[str, Any] = status["databases"]["main"]["zeo"]
    return found


def test_a_client_knows_whether_its_server_is_there(
    any_agent: Environment, start_zope: StartZope, start_zeo: StartZeo
) -> None:
    zeo = start_zeo(any_agent)
    zope = start_zope(any_agent, storage=timed(zeo.client()))
    agent = agent_of(zope.home)
    zope.site.commit(["one"])
    first = client(agent)
    assert first["connected"] is True
    assert first["cache"]["objects"] > 0
    assert first["cache"]["adds"] > 0
    assert first["cache"]["added_bytes"] > 0
    assert first["cache"]["max_bytes"] == 20 * 1024 * 1024
    zeo.stop()
    eventually(lambda: not client(agent)["connected"])
    zeo.start()
    eventually(lambda: client(agent)["connected"])
    if any_agent.name != "zope213":  # ZODB 3 does not count its connections
        assert client(agent)["generation"] > first["generation"]
    zope.site.commit(["two"])


def test_two_clients_under_load_lose_their_server_and_find_it_again(
    agent63: Environment, start_zope: StartZope, start_zeo: StartZeo
) -> None:
    zeo = start_zeo(agent63)
    zopes = [start_zope(agent63, name, storage=zeo.client()) for name in ("first", "second")]
    agents = [agent_of(zope.home) for zope in zopes]
    over = threading.Event()

    def load(number: int) -> set[int]:
        seen = set()
        while not over.is_set():
            seen.add(zopes[number % 2].site.get("/", timeout=60).status_code)
        return seen

    with ThreadPoolExecutor(5) as pool:
        loads = [pool.submit(load, number) for number in range(4)]
        try:
            eventually(lambda: all(client(agent)["connected"] for agent in agents))
            zeo.stop()
            eventually(lambda: not any(client(agent)["connected"] for agent in agents))
            # It waits for the server, and the worker with it.
            writing = pool.submit(zopes[0].site.commit, ["one"])
            eventually(lambda: agents[0].status()["requests"]["oldest_start"])
            zeo.start()
            eventually(lambda: all(client(agent)["connected"] for agent in agents))
            writing.result(60)
        finally:
            over.set()
        assert [it.result() for it in loads] == [{200}] * 4
    assert [agent.status()["requests"]["in_progress"] for agent in agents] == [0, 0]
