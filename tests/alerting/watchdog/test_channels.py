"""Mail and POST to real servers, and to peers that do not behave."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.support.hostile.server import HostileServer
from tests.support.monitoring.smtp import receiving_mail
from tests.support.web.server import serving
from zope_exporter.alerting.watchdog.channels import post, send_mail
from zope_exporter.alerting.watchdog.notifier import DeliveryError, Message
from zope_exporter.config.actions import SmtpConfig

SILENT = Message("zope1", True, 900, 1_700_000_000.0)
NEVER_HEARD = Message("zope1", True, 900, None)


def smtp(port: int, **keys: Any) -> SmtpConfig:
    told = {"from": "zope@example.org", "to": ["a@example.org", "b@example.org"]}
    return SmtpConfig.model_validate({"host": "127.0.0.1", "port": port, **told, **keys})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def login(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "password").write_text("geheim\n")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {
        "username": "zope",
        "password_file": tmp_path / "password",
        "ca_file": tmp_path / "ca.pem",
    }


def test_a_mail_for_people() -> None:
    with receiving_mail() as mailbox:
        send_mail(smtp(mailbox.port), SILENT)
        send_mail(smtp(mailbox.port), Message("zope1", False, 900, 1_700_000_000.0))
    silent, back = mailbox.mails
    assert mailbox.recipients == [["a@example.org", "b@example.org"]] * 2
    assert silent["subject"] == "[zope-exporter] zope1: alerting is silent"
    assert silent["auto-submitted"] == "auto-generated"
    assert silent.get_content_type() == "text/plain"
    text = bytes(silent.get_payload(decode=True)).decode()
    assert "No watchdog alert has arrived at zope-exporter on zope1 for 15 min." in text
    assert "The last one arrived at 2023-11-1" in text
    assert back["subject"] == "[zope-exporter] zope1: alerting is back"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_login_over_tls(tls: str, context: ssl.SSLContext, login: dict[str, Any]) -> None:
    with receiving_mail(**{tls: context}) as mailbox:
        send_mail(smtp(mailbox.port, tls=tls, **login), SILENT)
    assert len(mailbox.mails) == 1
    assert mailbox.logins == [(b"zope", b"geheim")]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    tls: str, context: ssl.SSLContext, login: dict[str, Any]
) -> None:
    del login["ca_file"]
    with receiving_mail(**{tls: context}) as mailbox, pytest.raises(DeliveryError) as caught:
        send_mail(smtp(mailbox.port, tls=tls, **login), SILENT)
    assert "certificate verify failed" in str(caught.value).lower()
    assert mailbox.logins == []


def test_a_server_without_starttls_gets_no_password(login: dict[str, Any]) -> None:
    with (
        receiving_mail() as mailbox,
        pytest.raises(DeliveryError, match="STARTTLS extension not supported"),
    ):
        send_mail(smtp(mailbox.port, tls="starttls", **login), SILENT)
    assert mailbox.logins == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [("s3cret", "answered 535"), ("s3crét", "UnicodeEncodeError"), (None, "cannot be read")],
)
def test_a_wrong_password_is_an_error_that_does_not_show_it(
    content: str | None, reason: str, context: ssl.SSLContext, login: dict[str, Any]
) -> None:
    path = login["password_file"]
    path.write_text(content) if content else path.unlink()
    with receiving_mail(context) as mailbox, pytest.raises(DeliveryError, match=reason) as caught:
        send_mail(smtp(mailbox.port, tls="starttls", **login), SILENT)
    assert "s3cr" not in str(caught.value)
    assert f"mail server 127.0.0.1:{mailbox.port}" in str(caught.value)


def test_a_server_that_refuses() -> None:
    with receiving_mail() as mailbox:
        mailbox.answer = "451 try later"
        with pytest.raises(DeliveryError, match="answered 451"):
            send_mail(smtp(mailbox.port), SILENT)
    with pytest.raises(DeliveryError, match="refused"):
        send_mail(smtp(mailbox.port), SILENT)


@contextmanager
def dripping(opening: bytes) -> Iterator[int]:
    """A peer that says `opening`, then one byte again and again, whatever it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            peer, _ = listener.accept()
            with peer, suppress(OSError):
                peer.sendall(opening)
                while True:
                    peer.sendall(b"2")
                    threading.Event().wait(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_one_byte_at_a_time_ends_at_the_deadline(tls: str) -> None:
    begun = time.monotonic()
    opening = {"none": b"", "starttls": b"220 hello\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n"}
    # What begins as a TLS record of 16 KB is waited for to its end.
    with dripping(opening.get(tls, b"\x16\x03\x03\x40\x00")) as port, pytest.raises(DeliveryError):
        send_mail(smtp(port, tls=tls), SILENT, deadline=0.5)
    assert time.monotonic() - begun < 9, "a step may take 10 s"


def test_a_chat_takes_it() -> None:
    bodies = []

    async def hook(request: Request) -> Response:
        bodies.append((request.headers["content-type"], json.loads(await request.body())))
        return Response(status_code=204)

    with serving(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as server:
        post(f"{server.url}/hook", NEVER_HEARD)
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
            with pytest.raises(DeliveryError, match=f"the URL answered {status}") as caught:
                post(f"{server.url}/{path}", NEVER_HEARD)
            assert "s3cret" not in str(caught.value)
        gone = f"{server.url}/s3cret"
    with pytest.raises(DeliveryError, match="the URL cannot be reached: ConnectError") as caught:
        post(gone, NEVER_HEARD)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["header-drip", "silent", "infinite-headers", "infinite-header", "continue-flood", "closed"],
)
def test_every_peer_ends_by_the_deadline(path: str) -> None:
    with HostileServer() as hostile:
        url = f"http://127.0.0.1:{hostile.ports['plain']}/{path}"
        begun = time.monotonic()
        with pytest.raises(DeliveryError):
            post(url, NEVER_HEARD, deadline=0.5)
        assert time.monotonic() - begun < 10
