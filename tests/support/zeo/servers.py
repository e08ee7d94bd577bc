"""Real ZEO servers."""

import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs.commands import Command
from tests.support.programs.server import Server, end_processes_of, free_port
from tests.support.zopes.environments import Environment


@dataclass
class ZeoServer:
    """`runzeo` with file storages of the given names. As a context, it is started."""

    environment: Environment
    home: Path
    storages: Sequence[str] = ("1",)
    settings: str = ""  # further lines of the <zeo> section
    storage_settings: str = ""  # and of each storage
    port: int = field(default_factory=free_port)
    unix_socket: Path | None = None  # to listen on instead of the port

    def __post_init__(self) -> None:
        self._server: Server | None = None
        self.zeo_conf = self.home / "zeo.conf"
        self.event_log = self.home / "zeo.log"
        self.home.mkdir()
        self.zeo_conf.write_text(self._conf())

    def _conf(self) -> str:
        lines = [
            "<zeo>",
            f"  address {self.address}",
            f"  pid-filename {self.home}/zeo.pid",
            self.settings,
            "</zeo>",
        ]
        for name in self.storages:
            lines += [f"<filestorage {name}>", f"  path {self.data_fs(name)}"]
            lines += [self.storage_settings, "</filestorage>"]
        lines += ["<eventlog>", "  <logfile>", f"    path {self.event_log}"]
        lines += ["    format %(asctime)s %(message)s", "  </logfile>", "</eventlog>", ""]
        return "\n".join(lines)

    def data_fs(self, storage: str = "1") -> Path:
        return self.home / f"{storage}.fs"

    def client(self, storage: str = "1") -> str:
        """The section of zope.conf by which a Zope uses the storage."""
        server = f"server {self.address}"
        return f"<zeoclient>\n{server}\nstorage {storage}\nname {storage}\n</zeoclient>\n"

    @property
    def address(self) -> str:
        return str(self.unix_socket or f"127.0.0.1:{self.port}")

    @property
    def pid(self) -> int:
        assert self._server is not None, "not started"
        return self._server.pid

    def greeting(self) -> bytes:
        """The protocol it offers whoever connects, such as b"Z5"."""
        server = ("127.0.0.1", self.port)
        with socket.create_connection(server, timeout=10) as peer, peer.makefile("rb") as stream:
            return stream.read(int.from_bytes(stream.read(4), "big"))

    def answers(self) -> bool:
        try:
            if self.unix_socket or "<ssl>" in self.settings:
                return "listening on" in self.event_log.read_text()
            return bool(self.greeting())
        except OSError:
            return False

    def start(self, timeout: float = 60) -> None:
        """Start it and wait until it answers; AssertionError with its last words if it does not."""
        command: Command = [self.environment.script("runzeo"), "-C", self.zeo_conf]
        self._server = Server(command, self.home.with_name(self.home.name + ".log"))
        self._server.wait_until(self.answers, timeout)

    def stop(self, order: signal.Signals = signal.SIGTERM, timeout: float = 30) -> int:
        assert self._server is not None, "not started"
        return self._server.stop(order, timeout)

    def __enter__(self) -> "ZeoServer":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        if self._server is not None:
            self._server.end()
        end_processes_of(self.home)
