"""A mail server that keeps what it gets: the inbox of the demo's administrators."""

import mailbox
import threading
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from types import TracebackType

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from .instance import free_port

LARGEST = 1 << 20


class Mailbox:
    """Receives mail at `address` (host:port) while it is entered as a context, into a Maildir."""

    def __init__(self, directory: Path, received: Callable[[EmailMessage], None]) -> None:
        self._received = received
        self._lock = threading.Lock()
        self._maildir = mailbox.Maildir(directory)
        self._mails: list[EmailMessage] = []
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port, data_size_limit=LARGEST, ready_timeout=30.0
        )

    @property
    def mails(self) -> list[EmailMessage]:
        """All that came so far, in that order."""
        with self._lock:
            return list(self._mails)

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        mail = BytesParser(EmailMessage, policy=default).parsebytes(content)
        mail["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        with self._lock:
            self._maildir.add(content)
            self._mails.append(mail)
        self._received(mail)
        return "250 Kept"

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._controller.stop()
