"""The channels by which people are told: a mail, or a POST to a URL such as that of a chat."""

import json
import smtplib
import socket
import ssl
import threading
import time
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from zope_exporter.clients.connection import left
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.clients.http.url import authorization
from zope_exporter.config.actions import SmtpConfig
from zope_exporter.system.foreign_file import ForeignFileError, read

from .notifier import DeliveryError, Message

MAIL_STEP = 10.0  # seconds for each step of a mail
MAIL_DEADLINE = 30.0  # seconds for all of it
POST_DEADLINE = 20.0  # seconds, from the resolution of the name to the answer's headers
_LONGEST_PASSWORD = 4096


def send_mail(settings: SmtpConfig, message: Message, deadline: float = MAIL_DEADLINE) -> None:
    """Send a message.

    Raises DeliveryError if the mail server has not taken it for each address within `deadline`
    seconds from the connection.
    """
    try:
        with _Session(settings, deadline) as session:
            if settings.tls == "starttls":
                session.starttls(context=_trust(settings))
            if settings.username is not None:
                session.login(settings.username, _password(settings))
            refused = session.send_message(_mail(settings, message))
    except smtplib.SMTPResponseException as error:
        raise DeliveryError(f"{_where(settings)} answered {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException, ValueError, ForeignFileError) as error:
        raise DeliveryError(f"{_where(settings)}: {_reason(error)}") from None
    if refused:
        raise DeliveryError(f"{_where(settings)} took the mail for some addresses only")


class _Session(smtplib.SMTP):
    """A session that is cut off at its deadline; a timeout alone starts anew with each byte."""

    def __init__(self, settings: SmtpConfig, deadline: float) -> None:
        self._settings = settings
        self._deadline = deadline
        self._cut: _Cut | None = None
        # Without a name of its own it would ask the DNS for one, for as long as that takes.
        name = socket.gethostname()
        super().__init__(settings.host, settings.port, local_hostname=name, timeout=MAIL_STEP)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        peer = socket.create_connection((host, port), timeout)
        self._cut = _Cut(peer, self._deadline)
        if self._settings.tls != "tls":
            return peer
        try:
            return _trust(self._settings).wrap_socket(peer, server_hostname=host)
        except BaseException:
            self._cut.cancel()
            raise

    def close(self) -> None:
        super().close()
        if self._cut is not None:
            self._cut.cancel()


class _Cut:
    """Ends a connection at a deadline, unless cancelled."""

    def __init__(self, peer: socket.socket, deadline: float) -> None:
        self._handle = peer.dup()  # TLS takes the first one away
        self._timer = threading.Timer(deadline, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()
        self._handle.close()

    def _cut(self) -> None:
        with suppress(OSError):  # it has ended by itself
            self._handle.shutdown(socket.SHUT_RDWR)


def _trust(settings: SmtpConfig) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)


def _password(settings: SmtpConfig) -> str:
    assert settings.password_file is not None  # noqa: S101 # the configuration has both or none
    return read(settings.password_file, _LONGEST_PASSWORD).decode().strip()


def _mail(settings: SmtpConfig, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"[zope-exporter] {message.subject}"
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _where(settings: SmtpConfig) -> str:
    return f"mail server {settings.host}:{settings.port}"


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "accepts mail for none of the addresses"
    if isinstance(error, ForeignFileError):
        return f"password_file cannot be read: {error}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be read: {error.strerror}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return type(error).__name__


def post(url: str, message: Message, deadline: float = POST_DEADLINE) -> None:
    """Post a message as JSON.

    Raises DeliveryError unless it is taken (2xx). The URL, which may be a secret, is in no error.
    """
    from zope_exporter.clients.http.exchange import FAILURES  # with httpx, which takes a while

    try:
        status = _post(url, message, time.monotonic() + deadline)
    except TimeoutError:
        raise DeliveryError(f"the URL did not answer within {deadline:g} s") from None
    except (*FAILURES, OSError, UnicodeError) as error:
        raise DeliveryError(f"the URL cannot be reached: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise DeliveryError(f"the URL answered {status}")


def _post(text: str, message: Message, deadline: float) -> int:
    import httpx

    from zope_exporter.clients.http.exchange import Route, exchange

    url = httpx.URL(text)
    headers = {"Content-Type": "application/json", **authorization(url)}
    trust = ssl.create_default_context() if url.scheme == "https" else None
    route = Route(Resolver().addresses(url.raw_host.decode("ascii"), left(deadline)), deadline)
    content = json.dumps(message.as_json()).encode()
    # No redirects: they could lead the message, and a password in the URL, elsewhere.
    with exchange(route, "POST", url, headers, content, trust=trust) as response:
        return response.status
