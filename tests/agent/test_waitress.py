"""Real waitress servers: found where they run, their workers and requests counted."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
import waitress
from Products.ZopeExporterAgent.requests import Requests
from Products.ZopeExporterAgent.waitress_server import Waitress

from tests.support.programs.processes import eventually

Start = Callable[..., Any]


class Site:
    """An application at two addresses of one server with three workers."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in "12"]
        self.urls = [f"http://127.0.0.1:{it.getsockname()[1]}" for it in listeners]
        self.server = waitress.create_server(self, sockets=listeners, threads=3)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):  # its sockets are closed beneath it, as it ends
            self.server.run()

    def __call__(self, environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/hold":
            assert self.gate.wait(30)
        start_response("200 OK", [])
        return [b"only piece"]

    def close(self) -> None:
        self.gate.set()
        self.server.close()
        self._thread.join(20)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def test_all_listeners_are_counted_as_one_server(site: Site) -> None:
    requests = Requests()
    found = Waitress(requests)
    eventually(found.attach)
    assert len(found.listeners) == 2
    assert found.attach()
    for url in site.urls:
        answer = httpx.get(url, trust_env=False)
        assert answer.text == "only piece"
        assert answer.headers["Content-Length"] == "10"  # known from its only piece
    eventually(lambda: not requests.in_progress())
    assert requests.status(5.0, 0.0)["responses"] == {"200": 2}

    full = {"server": "waitress", "threads": 3, "busy": 3, "queue": 1}
    full |= {"channels": 4, "connection_limit": 100}
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(httpx.get, url + "/hold", trust_env=False) for url in site.urls * 2]
        try:
            eventually(lambda: found.status() == full)
            assert len(requests.in_progress()) == 3
        finally:
            site.gate.set()
        assert [it.result().status_code for it in held] == [200] * 4
    eventually(lambda: not requests.in_progress())
    assert requests.status(5.0, 0.0)["responses"] == {"200": 6}


def test_where_none_runs_none_is_found() -> None:
    assert not Waitress(Requests()).attach()
