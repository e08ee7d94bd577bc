"""A Zope within uWSGI or Apache as the distribution has them: programs that embed a Python."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.as_someone import AS_SOMEONE
from tests.support.programs.cache import UnavailableError
from tests.support.programs.commands import Command
from tests.support.programs.debian import tool, unpacked
from tests.support.zopes.served import ServedZope

PYTHON = "python3.11"  # that of Debian 12; it can use the packages of a virtual environment of it

_HTTPD = """\
ServerRoot {var}
ServerName localhost
PidFile {var}/apache.pid
Listen 127.0.0.1:{port}
ErrorLog {var}/apache.log
DefaultRuntimeDir {var}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {sockets}/wsgi
WSGIDaemonProcess shop processes=1 threads=4 python-home={python} python-path={home} \
display-name=%{{GROUP}}
WSGIProcessGroup shop
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {home}/served_zope.py
<Directory {home}>
  Require all granted
</Directory>
"""


@dataclass
class EmbeddedZope(ServedZope):
    """Its `program` is uwsgi or apache2; UnavailableError where that has another Python."""

    sockets: Path = Path()  # where Apache has its own: the names of sockets are short

    def __post_init__(self) -> None:
        if not (self.environment.home / "lib" / PYTHON).exists():
            raise UnavailableError(f"the distribution's {self.program} needs {PYTHON}")
        super().__post_init__()

    def _command(self) -> Command:
        return self._uwsgi() if self.program == "uwsgi" else self._apache()

    def _uwsgi(self) -> Command:
        plugins = unpacked("uwsgi").parents[1] / "lib/uwsgi/plugins"
        return [
            tool("uwsgi"),
            *("--plugins-dir", plugins),
            *("--plugin", "python311"),
            *("--virtualenv", self.environment.home),
            *("--http-socket", f"127.0.0.1:{self.port}"),
            *("--master", "--processes", "1", "--threads", "4", "--die-on-term"),
            *("--module", "served_zope"),
        ]

    def _apache(self) -> Command:
        conf = self.home / "etc/httpd.conf"
        modules = unpacked("apache2").parents[1] / "lib/apache2/modules"
        conf.write_text(
            _HTTPD.format(
                var=self.home / "var",
                home=self.home,
                port=self.port,
                modules=modules,
                python=self.environment.home,
                sockets=self.sockets,
            )
        )
        # It takes another user's place, who may not read what is root's.
        prefix = AS_SOMEONE if os.getuid() == 0 else ()
        return [*prefix, tool("apache2"), "-f", conf, "-DFOREGROUND"]
