"""What the mails of Alertmanager say, as whoever gets them reads it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage

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
    """What each is news of, in the order of arrival; AssertionError at one that cannot be read.

    A mail may be about several sites of a host, of which one has been told of before.
    """
    return list(dict.fromkeys(told for mail in mails for told in _read(mail)))


def _read(mail: EmailMessage) -> Iterator[Mail]:
    what = re.match(r"\[(CRITICAL|WARNING|RESOLVED)\] (?=\S)", mail["Subject"])
    assert what, mail["Subject"]
    assert mail["X-Alert"] not in mail["Subject"], "a name where words should be"
    text, alert = _text(mail), mail["X-Alert"]
    firing, *over = text.split("Over since ")
    told = [*_alerts(alert, firing, what[1])]
    assert bool(told) == (what[1] != "RESOLVED")
    for each in over:
        told += _alerts(alert, each, "RESOLVED")
    assert told
    for site, severity in told:
        yield Mail(site, alert, severity, mail["X-Envelope-To"])


def _alerts(alert: str, text: str, severity: str) -> Iterator[tuple[str, str]]:
    """The site of each alert in a part of a mail."""
    for block in text.split(f"{alert}, ")[1:]:
        site = re.search(r"^  site: (\S+)$", block, re.MULTILINE)
        if severity != "RESOLVED":
            _check_links(alert, block, site[1] if site else "")
        yield site[1] if site else "", severity


def _check_links(alert: str, text: str, site: str) -> None:
    runbook = re.search(
        r"^What it means and what to do(?:: (\S+)| is in (\S+);)", text, re.MULTILINE
    )
    assert runbook, text
    if runbook[1]:
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/runbooks/{alert}(\?site=\S+)?", runbook[1])
    else:  # on a busy machine a scrape may have come too late
        assert runbook[2] == f"alerts/runbooks/{alert}.md"
    page = re.search(r"^Status page: (\S+)$", text, re.MULTILINE)
    assert page, text
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{f'#site-{site}' * bool(site)}", page[1])


def links_to_runbook(mail: EmailMessage) -> bool:
    return "What it means and what to do: http://" in _text(mail)


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None, "no text part"
    text: str = body.get_content()
    assert "<no value>" not in text
    assert "{{" not in text
    return text.replace("\r\n", "\n")
