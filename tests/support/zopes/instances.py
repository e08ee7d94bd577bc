"""Real Zope instances, made and run as their manuals say."""

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs.commands import Command, run
from tests.support.programs.server import Server, end_processes_of, free_port
from tests.support.zopes.environments import Environment
from tests.support.zopes.manager import MANAGER, Site

# Zope 2.13 will not serve as root, and no other user may read what root has in a home directory.
_RUNZOPE_AS_ROOT = """\
import os, sys
os.getuid = lambda: 65534
from Zope2.Startup.run import run
sys.exit(run())
"""


@dataclass
class ZopeInstance:
    """An instance directory, and between start and stop its Zope. As a context, it is started."""

    environment: Environment
    home: Path
    storage: str = ""  # the section to have in place of the main database's <filestorage>
    settings: str = ""  # further lines of zope.conf
    threads: int = 4
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.site = Site(self.port)
        self.zope_conf = self.home / "etc/zope.conf"
        self.zope_ini = self.home / "etc/zope.ini"  # Zope 2.13 has none
        self._server: Server | None = None
        self._make()

    def _make(self) -> None:
        has_wsgi = self.environment.script("mkwsgiinstance").exists()
        make = self.environment.script("mkwsgiinstance" if has_wsgi else "mkzopeinstance")
        run([make, "-d", self.home, "-u", ":".join(MANAGER)], self._log, timeout=60)
        if has_wsgi:
            _replace(
                self.zope_ini, r"^port = 8080$", f"port = {self.port}\nthreads = {self.threads}"
            )
        else:
            _replace(self.zope_conf, r"^  address 8080$", f"  address 127.0.0.1:{self.port}")
            self.settings += f"\nzserver-threads {self.threads}\n"
        if self.storage:
            _replace(self.zope_conf, r"^ *<filestorage>$.*?</filestorage>$", self.storage)
        with self.zope_conf.open("a") as conf:
            conf.write(self.settings)

    @property
    def _log(self) -> Path:
        return self.home.with_name(self.home.name + ".log")

    @property
    def server(self) -> Server:
        assert self._server is not None, "not started"
        return self._server

    @property
    def pid(self) -> int:
        return self.server.pid

    def start(self, timeout: float = 60) -> None:
        """Start it and wait until it answers; AssertionError with its last words if it does not."""
        environ = {"INSTANCE_HOME": str(self.home), **self.environ}
        self._server = Server(self._command(), self._log, environ)
        self._server.wait_until(self.site.answers, timeout)

    def _command(self) -> Command:
        if self.zope_ini.exists():
            return [self.environment.script("runwsgi"), self.zope_ini]
        if os.getuid() != 0:
            return [self.home / "bin/runzope"]
        runzope = self.home / "bin/runzope"
        runzope.write_text(_RUNZOPE_AS_ROOT)
        return [self.environment.script("python"), runzope, "-C", self.zope_conf]

    def stop(self, order: signal.Signals = signal.SIGINT, timeout: float = 30) -> int:
        """Its exit status; SIGINT is the one signal at which all generations end in good order."""
        return self.server.stop(order, timeout)

    def __enter__(self) -> "ZopeInstance":
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


def timed(section: str) -> str:
    """A storage of zope.conf within the section by which the agent knows how long loads take."""
    return f"%import Products.ZopeExporterAgent\n<timedstorage>\n{section}\n</timedstorage>\n"


def _replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(
        pattern, lambda _: replacement, path.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    assert count == 1, f"{path} has {pattern!r} {count} times"
    path.write_text(text)
