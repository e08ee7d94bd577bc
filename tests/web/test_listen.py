import os
import socket
from contextlib import ExitStack, suppress

import pytest

from tests.support.faults.rights import unprivileged
from tests.support.web.server import connect, exchange, get, serving, status
from zope_exporter.system.user_error import UserError
from zope_exporter.web.listen import ListenError, handed_over, listen, listen_on


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


def test_several_addresses_are_listened_on_or_none() -> None:
    with listen_on(["127.0.0.1:0", "127.0.0.2:0"]) as listeners:
        hosts = [listener.getsockname()[0] for listener in listeners]
        assert hosts == ["127.0.0.1", "127.0.0.2"]
        taken = f"127.0.0.1:{listeners[0].getsockname()[1]}"
        free = listeners[1].getsockname()[1]
        with pytest.raises(ListenError, match="in use"), listen_on([f"127.0.0.3:{free}", taken]):
            pass
        listen(f"127.0.0.3:{free}").close()  # what was bound before is free again


def systemd(count: int) -> dict[str, str]:
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count)}


def test_sockets_of_systemd_are_taken_over() -> None:
    with ExitStack() as stack:
        ours = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        descriptor = os.dup(ours.fileno())
        with handed_over(systemd(1), first=descriptor) as (taken,):
            assert taken.getsockname() == ours.getsockname()
            assert not taken.get_inheritable()
        with suppress(OSError):
            os.close(descriptor)
            pytest.fail("it was left open")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        systemd(0),
        {**systemd(1), "LISTEN_FDS": "one"},
    ],
)
def test_without_a_socket_of_systemd_there_is_none(environ: dict[str, str]) -> None:
    with pytest.raises(UserError, match="systemd has handed over no socket; start"):
        handed_over(environ).__enter__()


def test_a_descriptor_that_does_not_listen_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        descriptor = os.dup(ours.fileno())
        with pytest.raises(UserError, match="is not a TCP socket that listens"):
            handed_over(systemd(1), first=descriptor).__enter__()
        os.close(descriptor)
    with pytest.raises(UserError, match="is not a TCP socket that listens"):
        handed_over(systemd(1), first=descriptor).__enter__()
