import socket

import pytest

from tests.support.faults.rights import unprivileged
from tests.support.web.server import connect, exchange, get, serving, status
from zope_exporter.web.listen import ListenError, listen


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", ":0", "[::1]:0", "[::]:0"])
def test_addresses_as_people_write_them(address: str) -> None:
    if "[" in address and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with serving(address=address) as server:
        assert status(exchange(server, get(headers=["Connection: close"]))) == 200


def test_without_a_host_both_families_are_served() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with listen(":0") as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=10).close()


def test_the_url_is_where_it_can_be_reached() -> None:
    with serving(address=":0") as server:
        assert server.url.startswith("http://localhost:")
        connect(server).close()
    with serving(address="127.0.0.1:0") as server:
        assert server.url.startswith("http://127.0.0.1:")


WANTED = "want [HOST]:PORT, such as :9673, 127.0.0.1:9673 or [::1]:9673"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", WANTED),
        ("9673", WANTED),
        ("127.0.0.1", WANTED),
        (":", WANTED),
        (":http", WANTED),
        (":-1", WANTED),
        (":65536", WANTED),
        (":99999999", WANTED),
        (":٣", WANTED),
        ("::1:9673", WANTED),
        ("[::1]", WANTED),
        ("http://127.0.0.1:9673", WANTED),
        ("[127.0.0.1:9673", WANTED),
        ("no.such.host.invalid:9673", "the host has no address; correct its name"),
        ("[::g]:9673", "the host has no address; correct its name"),
        (
            "192.0.2.1:9673",
            "this host does not have the address; leave the host out to use all",
        ),
    ],
)
def test_an_address_that_cannot_be_used(address: str, reason: str) -> None:
    with pytest.raises(ListenError) as caught:
        listen(address)
    assert str(caught.value) == f"--web.listen-address {address!r}: {reason}"


def test_a_port_in_use() -> None:
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match="the port is in use; stop what uses it or choose"):
            listen(f"127.0.0.1:{port}")
        with pytest.raises(ListenError, match="the port is in use"):
            listen(f":{port}")


def test_a_privileged_port() -> None:
    reason = "ports below 1024 need a privilege; choose a higher one"
    with unprivileged(), pytest.raises(ListenError, match=reason):
        listen("127.0.0.1:1")


def test_what_is_accepted_sends_without_delay() -> None:
    with (
        listen("127.0.0.1:0") as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
