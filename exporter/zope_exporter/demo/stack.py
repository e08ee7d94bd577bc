"""What alerts are made of, around the demo: Prometheus, Alertmanager and a mailbox."""

import logging
import mailbox
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from types import TracebackType

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from zope_exporter.clients.agent.package import source as agent_source
from zope_exporter.config.actions import ActionsConfig, BackupConfig
from zope_exporter.config.schema import Config, PingConfig, SiteConfig
from zope_exporter.system.subprocesses import Child

from .alerting import Addresses, Pace, write_configuration
from .demo import Demo, demo_zope, tell, watched
from .instance import DemoError, free_port, last_words
from .programs import find_programs
from .traffic import WELCOME

Echo = Callable[[str], None]

READY_DEADLINE = 60.0
LARGEST_MAIL = 1 << 20


class Mailbox:
    """The inbox of the demo's administrators.

    Receives mail at `address` (host:port) while it is entered as a context, into a Maildir.
    """

    def __init__(self, directory: Path, received: Callable[[EmailMessage], None]) -> None:
        self._received = received
        self._lock = threading.Lock()
        self._maildir = mailbox.Maildir(directory)
        self._mails: list[EmailMessage] = []
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port, data_size_limit=LARGEST_MAIL, ready_timeout=30.0
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


@dataclass(frozen=True)
class Stack:
    """What runs; `maildir` has the mails."""

    prometheus: str
    alertmanager: str
    mailbox: Mailbox
    maildir: Path


def run_stack(exporter_url: str, serve: Callable[[Config], None], echo: Echo) -> None:
    """Show the demo with all that alerts are made of; see run_demo. Raises DemoError."""
    with demo_zope(echo, agent_source(), visitors=WELCOME) as demo:
        token_file = write_token(demo.top / "token")
        exporter = exporter_url.removeprefix("http://")
        with alert_stack(demo.top, exporter, token_file, echo) as stack:
            tell(demo, exporter_url, echo)
            echo(f"  Prometheus    {stack.prometheus}/alerts")
            echo(f"  Alertmanager  {stack.alertmanager}")
            echo(f"  mails         {stack.maildir}")
            echo(f"  token         {token_file}")
            echo("")
            echo("All waiting times are cut to seconds. Break something, and see who is notified:")
            echo(f"  kill -STOP {demo.pid}      Zope hangs; kill -CONT {demo.pid} repairs it")
            echo("Ctrl-C ends it and removes everything.")
            serve(stack_config(demo, token_file))


def write_token(file: Path) -> Path:
    """Write a token that may do everything; return the file."""
    file.touch(0o600)
    file.write_text(f"{secrets.token_urlsafe(24)}\n")
    return file


def stack_config(demo: Demo, token_file: Path) -> Config:
    """Return the configuration of an exporter that watches the demo alone, and repairs it."""
    home = demo.instance.home
    repository = demo.top / "backup"
    repository.mkdir(exist_ok=True)
    backup = BackupConfig(repository=repository)
    # Over before a scrape of this pace is: of a Zope that hangs, nothing else would come in time.
    wanted = {"name": home.name, "url": f"{demo.instance.url}/", "timeout": "2s"}
    ping = PingConfig.model_validate(wanted)
    site = SiteConfig(name=home.name, instances=(watched(demo),), ping=(ping,), backup=backup)
    return Config(
        state_dir=demo.state_dir,
        discover=False,
        sites=(site,),
        actions=ActionsConfig(
            token_file=token_file,
            on_alert={"ZopeBackupOverdue": "backup", "ZopePackOverdue": "pack"},
        ),
    )


@contextmanager
def alert_stack(
    top: Path, exporter: str, token_file: Path, echo: Echo, pace: Pace | None = None
) -> Iterator[Stack]:
    """Run Prometheus, Alertmanager and a mailbox in `top` for an exporter at host:port.

    Each mail is told to `echo` by its subject. To be used in the main thread. Raises DemoError.
    """
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    log = top / "stack.log"
    programs = find_programs(top / "programs", log)
    local = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with ExitStack() as resources:
        mails = resources.enter_context(Mailbox(top / "mail", _announcer(echo)))
        addresses = Addresses(exporter, *local, mails.address)
        files = write_configuration(top / "stack", addresses, token_file, pace or Pace())
        for program, command in zip(programs, _commands(programs, files, local, top), strict=True):
            # Where it was unpacked; of no matter to one that is installed.
            resources.enter_context(Child(command, log, cwd=program.parents[2]))
        for address in local:
            _await_ready(address, log)
        yield Stack(f"http://{local[0]}", f"http://{local[1]}", mails, top / "mail")


def _announcer(echo: Echo) -> Callable[[EmailMessage], None]:
    def announce(mail: EmailMessage) -> None:
        echo(f"  mail to {mail['X-Envelope-To']}: {mail['Subject']}")

    return announce


def _commands(
    programs: tuple[Path, Path], files: tuple[Path, Path], local: tuple[str, str], top: Path
) -> Iterator[list[str]]:
    prometheus, alertmanager = programs
    yield [
        str(prometheus),
        f"--config.file={files[0]}",
        f"--web.listen-address={local[0]}",
        f"--storage.tsdb.path={top / 'prometheus'}",
        # What fires while Alertmanager is still being found would be sent only a minute later.
        "--rules.alert.resend-delay=5s",
    ]
    yield [
        str(alertmanager),
        f"--config.file={files[1]}",
        f"--web.listen-address={local[1]}",
        f"--storage.path={top / 'alertmanager'}",
        "--cluster.listen-address=",
    ]


def _await_ready(address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_DEADLINE
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"http://{address}/-/ready", trust_env=False).is_success:
                return
        threading.Event().wait(0.2)
    raise DemoError(f"{address} was not ready within {READY_DEADLINE:.0f} s. {last_words(log)}")
