"""Messages by POST to a real server, and to peers that do not behave."""

import json
import time

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.support.hostile.server import HostileServer
from tests.support.web.server import serving
from zope_exporter.alerting.watchdog.message import Message, TellingError
from zope_exporter.alerting.watchdog.post import post

SILENT = Message("zope1", True, 900, None)


def test_a_chat_takes_it() -> None:
    bodies = []

    async def hook(request: Request) -> Response:
        bodies.append((request.headers["content-type"], json.loads(await request.body())))
        return Response(status_code=204)

    with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as server:
        post(f"{server.url}/hook", SILENT)
    [(content_type, body)] = bodies
    assert content_type == "application/json"
    assert body["status"] == "silent"
    assert body["last_seen"] is None
    assert body["text"].startswith("zope1: alerting is silent\nNo watchdog alert has arrived")
    assert "None has arrived yet." in body["text"]


def test_a_redirect_is_not_followed_and_the_url_not_shown() -> None:
    async def away(_: Request) -> Response:
        return RedirectResponse("/elsewhere")

    routes = [Route("/s3cret", away, methods=["POST"])]
    with serving(Starlette(routes=routes)) as server:
        for path, status in (("s3cret", 307), ("s3cret/nowhere", 404)):
            with pytest.raises(TellingError, match=f"the URL answered {status}") as caught:
                post(f"{server.url}/{path}", SILENT)
            assert "s3cret" not in str(caught.value)
        gone = f"{server.url}/s3cret"
    with pytest.raises(TellingError, match="the URL cannot be reached: ConnectError") as caught:
        post(gone, SILENT)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["header-drip", "silent", "infinite-headers", "infinite-header", "continue-flood", "closed"],
)
def test_every_peer_ends_by_the_deadline(path: str) -> None:
    with HostileServer() as hostile:
        url = f"http://127.0.0.1:{hostile.ports['plain']}/{path}"
        begun = time.monotonic()
        with pytest.raises(TellingError):
            post(url, SILENT, deadline=0.5)
        assert time.monotonic() - begun < 10
