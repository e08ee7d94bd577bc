"""Mail to a real SMTP server, and to peers that are none."""

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

from tests.support.monitoring.smtp import receiving_mail
from zope_exporter.alerting.watchdog.mail import send_mail
from zope_exporter.alerting.watchdog.message import Message, TellingError
from zope_exporter.config.watchdog import SmtpConfig

SILENT = Message("zope1", True, 900, 1_700_000_000.0)


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
    with receiving_mail(**{tls: context}) as mailbox, pytest.raises(TellingError) as caught:
        send_mail(smtp(mailbox.port, tls=tls, **login), SILENT)
    assert "certificate verify failed" in str(caught.value).lower()
    assert mailbox.logins == []


def test_a_server_without_starttls_gets_no_password(login: dict[str, Any]) -> None:
    with (
        receiving_mail() as mailbox,
        pytest.raises(TellingError, match="STARTTLS extension not supported"),
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
    with receiving_mail(context) as mailbox, pytest.raises(TellingError, match=reason) as caught:
        send_mail(smtp(mailbox.port, tls="starttls", **login), SILENT)
    assert "s3cr" not in str(caught.value)
    assert f"mail server 127.0.0.1:{mailbox.port}" in str(caught.value)


def test_a_server_that_refuses() -> None:
    with receiving_mail() as mailbox:
        mailbox.answer = "451 try later"
        with pytest.raises(TellingError, match="answered 451"):
            send_mail(smtp(mailbox.port), SILENT)
    with pytest.raises(TellingError, match="refused"):
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
    with dripping(opening.get(tls, b"\x16\x03\x03\x40\x00")) as port, pytest.raises(TellingError):
        send_mail(smtp(port, tls=tls), SILENT, deadline=0.5)
    assert time.monotonic() - begun < 9, "a step may take 10 s"
