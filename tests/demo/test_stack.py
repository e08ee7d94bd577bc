"""The configuration of the exporter that watches the demo, and the inbox of its administrators."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from zope_exporter.demo.alerting import Pace
from zope_exporter.demo.demo import Demo
from zope_exporter.demo.instance import Instance
from zope_exporter.demo.stack import LARGEST_MAIL, Mailbox, stack_config, write_token
from zope_exporter.demo.traffic import Traffic


def test_a_zope_that_hangs_is_seen_within_a_scrape(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "demo", tmp_path / "demo.log", 8080, "secret")
    demo = Demo(tmp_path, instance, Traffic(instance, ()), tmp_path / "state", 1)
    [site] = stack_config(demo, write_token(tmp_path / "token")).sites
    [ping] = site.ping
    assert (ping.name, ping.url) == ("demo", "http://127.0.0.1:8080/")
    assert ping.timeout < Pace().scrape - 1


def letter(text: str = "All is well.\n") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Grüße"
    mail.set_content(text)
    return mail


def test_what_is_sent_is_kept_and_told(tmp_path: Path) -> None:
    told: list[EmailMessage] = []
    with Mailbox(tmp_path / "mail", told.append) as mailbox:
        host, _, port = mailbox.address.partition(":")
        with smtplib.SMTP(host, int(port), timeout=30) as peer:
            peer.send_message(letter())
        [mail] = mailbox.mails
    assert told == [mail]
    assert (mail["Subject"], mail["X-Envelope-To"]) == ("Grüße", "b@example.org")
    assert mail.get_content().strip() == "All is well."
    [kept] = (tmp_path / "mail/new").iterdir()
    assert b"All is well." in kept.read_bytes()


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    with Mailbox(tmp_path / "mail", lambda _: None) as mailbox:
        host, _, port = mailbox.address.partition(":")
        refused = pytest.raises(smtplib.SMTPResponseException)
        with smtplib.SMTP(host, int(port), timeout=30) as peer, refused:
            peer.send_message(letter("x\n" * LARGEST_MAIL))
        assert mailbox.mails == []
