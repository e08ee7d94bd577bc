"""The filter of a WSGI pipeline under a server that forks its workers."""

from pathlib import Path

from tests.support.zopes.agent_programs import CONFIGURED, run_to_its_end

_PROGRAM = """
from Products.ZopeExporterAgent.paste import filter_factory

def application(environ, start_response):
    start_response("204 No Content", [])
    return [b""]

def serve():
    answer = counted({}, lambda *_: None)
    list(answer)
    answer.close()

def responses():
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect("%s/zope-exporter-%d.sock" % (home, os.getpid()))
        peer.sendall(b"GET /v1/status HTTP/1.1\\r\\n\\r\\n")
        received = b""
        while True:
            piece = peer.recv(65536)
            if not piece:
                break
            received += piece
    status = json.loads(received.partition(b"\\r\\n\\r\\n")[2])
    assert status["agent"]["pid"] == os.getpid()
    # Of the workers of this server nothing is known, which is no failure.
    assert "workers" not in status and "workers" not in status["errors"], status["errors"]
    return status["requests"]["responses"]

counted = filter_factory({}, some="setting")(application)
serve()
assert responses() == {"204": 1}
child = os.fork()
if child == 0:
    serve()
    serve()
    sys.exit(0 if responses() == {"204": 2} else 1)
_, status = os.waitpid(child, 0)
assert os.WEXITSTATUS(status) == 0, status
assert responses() == {"204": 1}
"""


def test_each_worker_has_an_agent_of_its_own(tmp_path: Path) -> None:
    run_to_its_end(CONFIGURED + _PROGRAM, tmp_path)
