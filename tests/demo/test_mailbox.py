import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from zope_exporter.demo.mailbox import LARGEST, Mailbox


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
            peer.send_message(letter("x\n" * LARGEST))
        assert mailbox.mails == []
