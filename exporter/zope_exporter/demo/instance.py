"""A Zope instance as Zope's own mkwsgiinstance makes it, with a past in its Data.fs."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from zope_exporter.system.subprocesses import Child
from zope_exporter.system.user_error import UserError

USER = "admin"
STEP_DEADLINE = 60.0
SLUG = """<include xmlns="http://namespaces.zope.org/zope" package="zope_exporter.demo" file="views.zcml" />
"""  # noqa: E501


class DemoError(UserError):
    """The demo cannot start; the text says why, and what to do."""


@dataclass(frozen=True)
class Instance:
    """Where things are. `log` has what the processes of the demo say that Zope does not log."""

    home: Path
    log: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def zope_ini(self) -> Path:
        return self.home / "etc/zope.ini"

    @property
    def data_fs(self) -> Path:
        return self.home / "var/Data.fs"

    def create(self) -> None:
        """Make the directories and files, to listen on `port` of 127.0.0.1 only."""
        self.home.mkdir()
        # Zope removes this file at its first start; on a command line every user could read it.
        initial_user = self.home / "inituser"
        initial_user.touch(0o600)
        initial_user.write_text(f"{USER}:{self.password}\n")
        self._run([script("mkwsgiinstance"), "-d", str(self.home)])
        shipped = self.zope_ini.read_text()
        self.zope_ini.write_text(shipped.replace("port = 8080", f"port = {self.port}"))
        slug = self.home / "etc/package-includes/intranet-configure.zcml"
        slug.parent.mkdir()
        slug.write_text(SLUG)

    def fill(self) -> None:
        """Write the Data.fs."""
        self._run(["-m", "zope_exporter.demo.history", str(self.data_fs)])

    def start(self, products: Path | None) -> Child:
        """Start Zope as an administrator does; `products` is one more directory for Python."""
        return self._child([script("runwsgi"), str(self.zope_ini)], products)

    def _run(self, arguments: Sequence[str]) -> None:
        with self._child(arguments) as child:
            status = child.wait(STEP_DEADLINE)
        if status != 0:
            what = "took too long" if status is None else f"ended with status {status}"
            raise DemoError(f"{' '.join(arguments)} {what}. {last_words(self.log)}")

    def _child(self, arguments: Sequence[str], products: Path | None = None) -> Child:
        # These two would make Zope open the site of the person who tries the demo.
        env = {k: v for k, v in os.environ.items() if k not in ("ZOPE_CONFIG", "INSTANCE_HOME")}
        if products is not None:
            env["PYTHONPATH"] = os.pathsep.join([str(products), env.get("PYTHONPATH", "")]).rstrip(
                ":"
            )
        return Child([sys.executable, *arguments], self.log, cwd=self.home, env=env)


def require(distributions: Sequence[str]) -> None:
    """Raise DemoError unless all of these are installed beside the exporter."""
    missing = [name for name in distributions if not any(metadata.distributions(name=name))]
    if missing:
        raise DemoError(
            "the demo runs a real Zope, but the exporter's Python environment lacks"
            f" {' and '.join(missing)}: pip install 'zope-exporter[demo]'"
        )


def require_space(directory: Path, needed: int) -> None:
    """Raise DemoError unless `needed` bytes are free there."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DemoError(
            f"{directory} has {free >> 20} MiB free and the demo wants {needed >> 20} MiB:"
            " set TMPDIR to a directory with more space"
        )


def last_words(log: Path, lines: int = 15) -> str:
    """The end of a log, and where a copy of it is that outlives the demo."""
    text = log.read_text(errors="replace")
    with tempfile.NamedTemporaryFile(
        "w", prefix="zope-exporter-demo-", suffix=".log", delete=False
    ) as copy:
        copy.write(text)
    return "\n".join([f"The end of its log, kept in {copy.name}:", *text.splitlines()[-lines:]])


def script(name: str) -> str:
    """The path of a command that was installed with Zope."""
    for file in metadata.files("Zope") or ():
        if file.name == name:
            return os.path.normpath(file.locate())
    raise DemoError(f"Zope's installation has no command {name}: pip install 'zope-exporter[demo]'")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
