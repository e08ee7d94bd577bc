"""A Zope that another server of WSGI applications serves than the one of its zope.ini."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.commands import Command
from tests.support.zopes.instances import ZopeInstance

_APPLICATION = """\
from Zope2.Startup.run import make_wsgi_app

application = make_wsgi_app({{}}, {conf!r})
"""
_ASGI = f"""{_APPLICATION}
from a2wsgi import WSGIMiddleware

application = WSGIMiddleware(application)
"""


@dataclass
class ServedZope(ZopeInstance):
    """Served by `program` with these `arguments`; in them, ADDRESS, PORT and INI are its own."""

    program: str = "gunicorn"
    arguments: Sequence[str] = ()
    asgi: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        text = _ASGI if self.asgi else _APPLICATION
        (self.home / "served_zope.py").write_text(text.format(conf=str(self.zope_conf)))
        self.environ = {**self.environ, "PYTHONPATH": str(self.home)}

    def _command(self) -> Command:
        own = {
            "ADDRESS": f"127.0.0.1:{self.port}",
            "PORT": str(self.port),
            "INI": str(self.zope_ini),
            "PID": str(self.pid_file),
        }
        return [self.environment.script(self.program), *(own.get(w, w) for w in self.arguments)]

    @property
    def pid_file(self) -> Path:
        return self.home / "var/server.pid"
