"""A server that has loaded Zope before it forks its workers, without the filter."""

from pathlib import Path

import pytest

from tests.support.zopes.agent_programs import CONFIGURED, run_to_its_end

_BEGINNING = """
from zope.event import notify
from ZPublisher.pubevents import PubStart
import zope.component.event
from Products.ZopeExporterAgent.activation import activate
from Products.ZopeExporterAgent.paste import filter_factory

def sockets():
    return sorted(name for name in os.listdir(home) if name.endswith(".sock"))

def socket():
    return "zope-exporter-%d.sock" % os.getpid()

def request():
    notify(PubStart(None))

"""
_PRELOADED = """
assert activate() is not None
master = socket()
child = os.fork()
if child == 0:
    assert sockets() == [master], sockets()  # what only runs a program has none
    request()
    request()
    assert sockets() == sorted([master, socket()]), sockets()
    assert activate().status()["agent"]["pid"] == os.getpid()
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert os.WEXITSTATUS(status) == 0, status
request()
assert sockets() == [master], sockets()
"""
# Of uWSGI there is a real one among the tests of starters.
_UWSGI = """
import threading
number = 0
sys.modules["uwsgi"] = types.SimpleNamespace(worker_id=lambda: number)
assert activate() is None
served = []
counted = filter_factory({})(lambda environ, start_response: served.append(environ) or [])
assert sockets() == [] and threading.active_count() == 1
number = 1
if sys.argv[3] == "filter":
    list(counted({}, None))
    assert len(served) == 1
else:
    request()
assert sockets() == [socket()], sockets()
"""


@pytest.mark.parametrize(
    ("program", "by"),
    [(_PRELOADED, "request"), (_UWSGI, "request"), (_UWSGI, "filter")],
    ids=["preloaded", "uwsgi", "uwsgi with the filter"],
)
def test_each_worker_makes_an_agent_at_its_first_request(
    tmp_path: Path, program: str, by: str
) -> None:
    run_to_its_end(CONFIGURED + _BEGINNING + program, tmp_path, by)
