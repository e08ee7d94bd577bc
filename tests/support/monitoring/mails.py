"""What the mails of Alertmanager say, as whoever gets them reads it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage

_SUBJECT = re.compile(
    r"\[(CRITICAL|WARNING|RESOLVED)\] (\w+)(?: ([\w-]+))?(?: on \S+)?(?: \(\d+\))?"
)
ON_CALL = "on-call@example.org"
ADMINS = "zope-admins@example.org"


@dataclass(frozen=True, order=True)
class Mail:
    """One mail; `what` is CRITICAL, WARNING or RESOLVED."""

    site: str
    alert: str
    what: str
    recipient: str

    def over(self) -> "Mail":
        """The one that says that this is over."""
        return Mail(self.site, self.alert, "RESOLVED", self.recipient)


def page(site: str, alert: str) -> Mail:
    return Mail(site, alert, "CRITICAL", ON_CALL)


def notice(site: str, alert: str) -> Mail:
    return Mail(site, alert, "WARNING", ADMINS)


def read(mails: Iterable[EmailMessage]) -> list[Mail]:
    """What each is about, in the order of arrival; AssertionError at one that cannot be read."""
    return [_read(mail) for mail in mails]


def _read(mail: EmailMessage) -> Mail:
    subject = _SUBJECT.fullmatch(mail["Subject"])
    assert subject, mail["Subject"]
    what, alert, site = subject.groups()
    text = _text(mail)
    assert f"{alert}, " in text
    assert not site or f"site: {site}\n" in text
    if what == "RESOLVED":
        assert "Over since " in text
    else:
        link = re.search(r"What it means and what to do: (\S+)\n", text)
        assert link, text
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/runbooks/{alert}", link[1])
    return Mail(site or "", alert, what, mail["X-Envelope-To"])


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None, "no text part"
    text: str = body.get_content()
    assert "<no value>" not in text
    assert "{{" not in text
    return text.replace("\r\n", "\n")
