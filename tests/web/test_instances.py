"""The API's word on long requests: for those with a token, of the Zope they name."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from tests.support.zopes.fake_agent import answering, fake_agent, http
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.web.instances import instance_routes
from zope_exporter.web.tokens import TokenFile

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
ME = Process(os.getpid(), psutil.Process().create_time())
REQUESTS = {
    "protocol": 1,
    "requests": [
        {
            "thread": "waitress-1",
            "start": 1.8e9,
            "method": "GET",
            "url": "/report?year",
            "stack": ["views.py:31 __call__", "threading.py:359 wait"],
        }
    ],
}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    def zope(name: str, home: Path = tmp_path) -> Service:
        return Service("zope", name, None, process=ME, agent_home=home)

    bad = tmp_path / "bad.sock"
    hostile = replace(zope("bad"), agent_socket=bad)
    sites = (
        Site(
            "intranet",
            (
                zope("client1"),
                zope("client 2/b"),
                zope("bare", tmp_path / "bare"),
                Service("zeo", "zeo", None),
            ),
        ),
        Site("shop & co", (zope("client1"), hostile)),
    )
    tokens = tmp_path / "tokens"
    tokens.write_text(f"reader: {TOKEN}\npacker: {OTHER}: pack\n")
    routes = instance_routes(lambda: Inventory(sites), TokenFile(tokens), timeout=20)
    own = tmp_path / f"zope-exporter-{os.getpid()}.sock"
    with (
        fake_agent(own, answering(http(REQUESTS))),
        fake_agent(bad, answering(b"")),
        serving(Starlette(routes=routes)) as server,
    ):
        yield f"{server.url}/api/v1/instances"


def get(url: str, token: str | None = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, trust_env=False, timeout=30)


def test_url_and_stack_of_what_takes_long(base: str) -> None:
    answer = get(f"{base}/client1/requests?site=intranet")
    assert answer.status_code == 200
    assert answer.json() == {"site": "intranet", "zope": "client1", **_without(REQUESTS)}


def _without(document: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key != "protocol"}


def test_a_name_with_what_has_a_meaning_in_urls(base: str) -> None:
    assert get(f"{base}/client%202/b/requests").json()["zope"] == "client 2/b"
    assert get(f"{base}/client%202%2Fb/requests").json()["zope"] == "client 2/b"


def test_a_name_that_two_sites_have(base: str) -> None:
    answer = get(f"{base}/client1/requests")
    assert answer.status_code == 409
    assert "add ?site=intranet or ?site=shop%20%26%20co" in answer.json()["error"]
    assert get(f"{base}/client1/requests?site=shop%20%26%20co").json()["site"] == "shop & co"


@pytest.mark.parametrize("name", ["nobody", "zeo", "client1/requests", "%00"])
def test_a_name_that_no_zope_has(base: str, name: str) -> None:
    answer = get(f"{base}/{name}/requests")
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no Zope of this name"}


def test_a_site_that_does_not_have_it(base: str) -> None:
    assert get(f"{base}/client1/requests?site=nowhere").status_code == 404


def test_a_zope_without_agent(base: str) -> None:
    answer = get(f"{base}/bare/requests")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("intranet/bare has no agent: not installed")


def test_an_agent_out_of_order(base: str) -> None:
    answer = get(f"{base}/bad/requests")
    assert answer.status_code == 502
    assert "closed the connection without an answer" in answer.json()["error"]


def test_only_for_those_with_a_token_for_it(base: str) -> None:
    url = f"{base}/client1/requests?site=intranet"
    assert get(url, None).status_code == 401
    assert get(url, "wrong").status_code == 401
    assert get(url, OTHER).status_code == 403
    assert get(f"{base}/nobody/requests", None).status_code == 401
