"""A buildout as Plone's administrators know it: bin/instance and bin/zeoserver under zdaemon."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.programs.commands import Command, run
from tests.support.programs.processes import eventually
from tests.support.programs.server import Server, end_processes_of, free_port
from tests.support.zopes.environments import Environment
from tests.support.zopes.manager import MANAGER, Site

_CONFIGURATION = """\
[buildout]
parts = instance zeoserver
develop =
{develop}

[instance]
recipe = plone.recipe.zope2instance
user = {user}
http-address = 127.0.0.1:{port}
zeo-client = {zeo}
zeo-address = 127.0.0.1:{zeo_port}
shared-blob = on
zodb-temporary-storage = off
eggs =
{eggs}
zope-conf-additional =
{settings}

[zeoserver]
recipe = plone.recipe.zeoserver
zeo-address = 127.0.0.1:{zeo_port}
"""


@dataclass
class Buildout:
    """The directory with its scripts. Left as a context, nothing of it runs any more."""

    environment: Environment
    home: Path
    zeo: bool = False  # whether the instance is a client of the server beside it
    settings: str = ""  # further lines of the instance's zope.conf
    develop: Mapping[str, Path] = field(default_factory=dict)  # eggs with where their source is
    port: int = field(default_factory=free_port)
    zeo_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.site = Site(self.port)
        self.wsgi_ini = f"{self.home}/parts/instance/etc/wsgi.ini"
        self.home.mkdir()
        (self.home / "buildout.cfg").write_text(
            _CONFIGURATION.format(
                user=":".join(MANAGER),
                port=self.port,
                zeo="on" if self.zeo else "off",
                zeo_port=self.zeo_port,
                settings=_indented(self.settings.splitlines()),
                eggs=_indented(self.develop),
                develop=_indented(map(str, self.develop.values())),
            )
        )
        # What it needs is all in the environment; the user's own defaults are not ours.
        buildout: Command = [self.environment.script("buildout"), "-U", "-o"]
        run(buildout, self._log, cwd=self.home, timeout=120)

    @property
    def _log(self) -> Path:
        return self.home.with_name(self.home.name + ".log")

    def call(self, script: str, *arguments: str) -> None:
        """Run a script of bin/, such as `instance start`; CommandError if it fails."""
        run([self.home / "bin" / script, *arguments], self._log, cwd=self.home, timeout=120)

    def start(self, timeout: float = 60) -> None:
        """Start the ZEO server if there is one, then the instance, both under zdaemon."""
        if self.zeo:
            self.call("zeoserver", "start")
        self.call("instance", "start")
        eventually(self.site.answers, timeout)

    def stop(self) -> None:
        self.call("instance", "stop")
        if self.zeo:
            self.call("zeoserver", "stop")

    def foreground(self, timeout: float = 60) -> Server:
        """`bin/instance fg`, answering."""
        server = Server([self.home / "bin/instance", "fg"], self._log)
        server.wait_until(self.site.answers, timeout)
        return server

    def __enter__(self) -> "Buildout":
        return self

    def __exit__(self, *raised: object) -> None:
        end_processes_of(self.home)


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
