"""A Zope that supervisord starts, logging to stderr, which supervisord writes to a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs.commands import Command
from tests.support.programs.server import Server, end_processes_of
from tests.support.zopes.consoles import to_stderr
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

_SETTINGS = """\
[supervisord]
nodaemon = true
user = root
logfile = {scratch}/supervisord.log
pidfile = {scratch}/supervisord.pid

[program:zope]
command = {zope} {ini}
environment = PYTHONUNBUFFERED="1"
stopsignal = INT
redirect_stderr = true
stdout_logfile = {log}
"""


@contextmanager
def supervised(environment: Environment, home: Path) -> Iterator[ZopeInstance]:
    """What cookiecutter-zope-instance makes, running; supervisord's own files are beside it."""
    zope, scratch = ZopeInstance(environment, home), home.parent
    to_stderr(zope)
    settings, runwsgi = scratch / "supervisord.conf", environment.script("runwsgi")
    log = home / "var/zope.log"
    settings.write_text(_SETTINGS.format(scratch=scratch, zope=runwsgi, ini=zope.zope_ini, log=log))
    words: Command = [sys.executable, "-m", "supervisor.supervisord", "-c", settings]
    supervisord = Server(words, scratch / "supervisord.out")
    try:
        supervisord.wait_until(zope.site.answers)
        yield zope
        supervisord.stop()
    finally:
        supervisord.end()
        end_processes_of(scratch)
