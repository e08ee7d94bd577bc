"""A real PostgreSQL server, for as long as a context lasts."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs.as_someone import AS_SOMEONE
from tests.support.programs.cache import UnavailableError
from tests.support.programs.commands import Command, CommandError, run
from tests.support.programs.debian import tool
from tests.support.programs.server import Server, free_port


@dataclass
class Postgres:
    """A cluster below `home`, on a port of 127.0.0.1; it logs each session and each statement."""

    home: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.log = self.home.with_name(self.home.name + ".log")
        self._server: Server | None = None
        self._prefix = AS_SOMEONE if os.getuid() == 0 else ()
        make: Command = [tool("initdb"), "-D", self.home / "data", "-U", "zope", "-A", "trust"]
        try:
            run([*self._prefix, *make, "--no-sync", "--no-locale", "-E", "UTF8"], self.log)
        except CommandError as error:
            raise UnavailableError(f"postgres: {error}") from error

    @property
    def dsn(self) -> str:
        return f"dbname='postgres' user='zope' host='127.0.0.1' port='{self.port}'"

    def start(self) -> None:
        options = (
            f"port={self.port} listen_addresses=127.0.0.1 unix_socket_directories= fsync=off"
            " log_connections=on log_statement=all log_line_prefix=%m_[%p]_"
        )
        command: list[str | Path] = [*self._prefix, tool("postgres"), "-D", self.home / "data"]
        for option in options.split():
            command += ["-c", option]
        self.log.write_text("")
        self._server = Server(command, self.log)
        self._server.wait_until(lambda: "ready to accept connections" in self.log.read_text())

    def stop(self) -> None:
        """The fast way: it ends the sessions of its clients."""
        assert self._server is not None, "not started"
        self._server.stop()

    def __enter__(self) -> "Postgres":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        if self._server is not None:
            self._server.end()
