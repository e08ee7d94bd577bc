import socket
from collections.abc import Iterator

import pytest

from zope_exporter.demo.address import browsable, choose_address
from zope_exporter.demo.instance import DemoError, free_port


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def no_echo(line: str) -> None:
    raise AssertionError(line)


def test_the_default_is_taken_if_it_is_free() -> None:
    default = f"127.0.0.1:{free_port()}"
    assert choose_address(None, no_echo, default) == default


def test_instead_of_a_default_that_is_in_use_a_free_port_is_taken_and_named(taken: str) -> None:
    said: list[str] = []
    address = choose_address(None, said.append, taken)
    assert address != taken
    assert address.startswith("127.0.0.1:")
    [line] = said
    assert taken in line
    assert address in line


def test_an_address_that_was_asked_for_is_never_replaced(taken: str) -> None:
    with pytest.raises(DemoError, match=rf"--web\.listen-address: .*{taken}.*in use"):
        choose_address(taken, no_echo)


@pytest.mark.parametrize("wrong", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", "", "[::1"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(DemoError, match=r"--web\.listen-address: cannot listen on "):
        choose_address(wrong, no_echo)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:9673", "http://127.0.0.1:9673"),
        ("[::1]:9673", "http://[::1]:9673"),
        ("0.0.0.0:9673", "http://127.0.0.1:9673"),
        ("[::]:9673", "http://127.0.0.1:9673"),
        (":9673", "http://127.0.0.1:9673"),
    ],
)
def test_the_url_is_one_a_browser_of_this_machine_can_open(address: str, url: str) -> None:
    assert browsable(address) == url
