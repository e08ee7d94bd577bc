"""A real SMTP server on a loopback port that keeps what it is sent."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """What has arrived; `answer` is what the server says to each mail.

    `starttls` and `tls` are its certificates; with `starttls` it takes mail only after a login.
    The password is `geheim`.
    """

    def __init__(self, starttls: ssl.SSLContext | None, tls: ssl.SSLContext | None) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answer = "250 taken"
        self.port = 0
        self._starttls = starttls
        self._tls = tls
        self._ready = threading.Event()

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 # aiosmtpd looks for this name
        if self.answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.mails.append(message_from_bytes(content, policy=default))
            self.recipients.append(envelope.rcpt_tos)
        return self.answer

    def protocol(self) -> SMTP:
        return SMTP(
            self,
            tls_context=self._starttls,
            require_starttls=self._starttls is not None,
            authenticator=self._authenticate,
            auth_required=self._starttls is not None,
            auth_require_tls=self._tls is None,  # it does not know of TLS from the first byte
        )

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self.protocol, "127.0.0.1", 0, ssl=self._tls)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._end.wait()

    def wait(self) -> None:
        assert self._ready.wait(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)

    def _authenticate(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, login: LoginPassword
    ) -> AuthResult:
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"geheim", handled=False)


@contextmanager
def receiving_mail(
    starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Mailbox]:
    """Receive mail for as long as the context lasts."""
    mailbox = Mailbox(starttls, tls)
    thread = threading.Thread(target=mailbox.run, name="smtp")
    thread.start()
    mailbox.wait()
    try:
        yield mailbox
    finally:
        mailbox.close()
        thread.join(30)
    assert not thread.is_alive()
