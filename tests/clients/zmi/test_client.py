"""Where the login goes, what is asked for, and what becomes of answers that are none."""

import base64
import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hostile.server import HostileServer
from zope_exporter.clients.zmi.client import ZmiClient
from zope_exporter.clients.zmi.pages import Page, ZmiError
from zope_exporter.discovery.inventory import ZmiLogin

PATIENCE = 20.0
SECRET = "pa:ß wörd"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    return file


def get(
    server: HostileServer, password_file: Path, *script: bytes, timeout: float = PATIENCE
) -> str:
    server.script = script
    login = ZmiLogin(server.url("", "scripted"), "admin", password_file)
    return ZmiClient(login).get(Page.PANEL, deadline=time.monotonic() + timeout)


def server_trust(server: HostileServer) -> Callable[[], ssl.SSLContext]:
    def trust() -> ssl.SSLContext:
        context = ssl.create_default_context()
        server.ca.configure_trust(context)
        return context

    return trust


def asked(server: HostileServer) -> tuple[str, dict[str, str]]:
    request, *headers = server.asked[-1].decode().strip().split("\r\n")
    return request, dict(header.split(": ", 1) for header in headers)


def test_the_pages_there_are() -> None:
    assert {page.path("main") for page in Page} == {
        "Control_Panel/manage_main",
        "Control_Panel/Database/main/manage_main",
        "Control_Panel/Database/main/manage_cacheParameters",
    }
    assert Page.DATABASE.path("a/b?c") == "Control_Panel/Database/a%2Fb%3Fc/manage_main"
    with pytest.raises(ZmiError, match=r"called \.\."):
        Page.DATABASE.path("..")


def test_a_request_has_the_login_and_no_query(server: HostileServer, password_file: Path) -> None:
    assert get(server, password_file, OK) == "page"
    request, headers = asked(server)
    assert request == "GET /Control_Panel/manage_main HTTP/1.1"
    assert headers["Host"] == f"127.0.0.1:{server.ports['scripted']}"
    kind, _, credentials = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(credentials).decode()) == ("Basic", f"admin:{SECRET}")


def test_a_changed_password_is_used_at_once(server: HostileServer, password_file: Path) -> None:
    get(server, password_file, OK)
    password_file.write_text("new")
    get(server, password_file, OK)
    _, headers = asked(server)
    assert base64.b64decode(headers["Authorization"][6:]) == b"admin:new"


def test_a_redirect_is_not_followed(server: HostileServer, password_file: Path) -> None:
    before = len(server.asked)
    there = server.url("/ok", "elsewhere").encode()
    with pytest.raises(ZmiError, match="answers with status 302"):
        get(
            server,
            password_file,
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + there + b"\r\n\r\n",
        )
    assert len(server.asked) == before + 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "refuses the login: check username"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "has to be a Manager"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "has no such page: check url"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "answers with status 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2 << 20), "too large"),
        (b"220 mail ESMTP\r\n", "cannot be reached"),
        (b"", "cannot be reached"),
    ],
)
def test_an_answer_that_is_no_page_is_named(
    server: HostileServer, password_file: Path, script: bytes, reason: str
) -> None:
    with pytest.raises(ZmiError, match=reason) as raised:
        get(server, password_file, script)
    assert SECRET not in repr(raised.value)


@pytest.mark.parametrize("path", ["/silent", "/body-drip", "/header-drip"])
def test_an_answer_that_never_ends_is_left_at_the_deadline(
    server: HostileServer, password_file: Path, path: str
) -> None:
    login = ZmiLogin(server.url(""), "admin", password_file)
    with pytest.raises(ZmiError, match="does not answer in time"):
        ZmiClient(login).ask("GET", path[1:], deadline=time.monotonic() + 0.5)


def test_a_password_file_that_became_a_fifo_is_named(
    server: HostileServer, password_file: Path
) -> None:
    password_file.unlink()
    os.mkfifo(password_file)
    with pytest.raises(ZmiError, match=f"{password_file}: a FIFO, not a regular file"):
        get(server, password_file, OK)


def test_nobody_there(server: HostileServer, password_file: Path) -> None:
    login = ZmiLogin(server.url("", "refused"), "admin", password_file)
    with pytest.raises(ZmiError, match="cannot be reached"):
        ZmiClient(login).get(Page.PANEL, deadline=time.monotonic() + PATIENCE)


def test_over_tls(server: HostileServer, password_file: Path) -> None:
    login = ZmiLogin(server.url("", "trusted").replace("http:", "https:"), "admin", password_file)
    deadline = time.monotonic() + PATIENCE
    with pytest.raises(ZmiError, match="cannot be reached"):
        ZmiClient(login).ask("GET", "ok", deadline=deadline)
    assert ZmiClient(login, trust=server_trust(server)).ask("GET", "ok", deadline=deadline) == (
        200,
        b" 1\n",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"\xff", "not text in UTF-8"), (b"x" * 5000, "larger than")],
)
def test_a_password_file_that_cannot_be_used_is_named(
    server: HostileServer, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ZmiError, match=reason) as raised:
        get(server, file, OK)
    assert str(file) in str(raised.value)
