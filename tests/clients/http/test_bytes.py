"""Whatever bytes a server sends, a probe of it has one result."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hostile.names import Names, prober
from tests.support.hostile.server import HostileServer
from zope_exporter.clients.http.probe import Prober
from zope_exporter.clients.http.result import REASONS
from zope_exporter.discovery.inventory import Target

PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 500 \r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ",
        b"/next\r\n",
        b"//[\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ]
)
SCRIPTS = st.lists(PIECES | st.binary(max_size=64), max_size=12)


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared_prober(server: HostileServer) -> Prober:
    return prober(server.ca, Names())


@pytest.mark.parametrize(("scheme", "port"), [("http", "scripted"), ("https", "scripted_tls")])
@settings(deadline=None)
@given(script=SCRIPTS)
def test_any_bytes(
    server: HostileServer, shared_prober: Prober, scheme: str, port: str, script: list[bytes]
) -> None:
    server.script = tuple(script)
    url = f"{scheme}://127.0.0.1:{server.ports[port]}/"
    result = shared_prober.probe(Target("target", url, expect="abc", timeout=30.0))
    assert result.reason in (None, *REASONS)
    assert result.reason != "timeout"
    assert (result.status is not None) >= (result.reason is None)
    assert (result.content_match is True) >= (result.reason is None)
