"""A process that forks: its child leaves the agent's socket alone and can go on counting."""

from pathlib import Path

from tests.support.zopes.agent_programs import QUIETLY, run_to_its_end

_PROGRAM = """
from Products.ZopeExporterAgent.agent import Agent
from Products.ZopeExporterAgent.settings import read_settings

configuration = types.SimpleNamespace(clienthome=home, instancehome=home, debug_mode=False)
agent = Agent(configuration, read_settings(None), [])
agent.start()

def answers():
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(agent.path)
        peer.sendall(b"GET /v1/status HTTP/1.1\\r\\n\\r\\n")
        begin = peer.recv(100)
        while peer.recv(10000):
            pass
        return begin.startswith(b"HTTP/1.1 200 OK")

assert answers()
silent = socket.socket(socket.AF_UNIX)
silent.connect(agent.path)
assert answers()  # so that the silent one has been accepted
held = agent._conflicts._lock
held.acquire()  # as a worker may just then
child = os.fork()
if child == 0:
    agent._conflicts.status([])  # waits for nobody
    silent.close()
    opened = sorted(map(int, os.listdir("/proc/self/fd")))[3:]  # what a test runner gives it
    links = ["/proc/self/fd/%d" % descriptor for descriptor in opened]
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    sys.exit(sum(target.startswith("socket:") or target == home for target in targets))
held.release()
_, status = os.waitpid(child, 0)
assert os.WEXITSTATUS(status) == 0, status
assert os.path.exists(agent.path)
assert answers()
"""


def test_a_forked_child_lets_go_of_everything(tmp_path: Path) -> None:
    run_to_its_end(QUIETLY + _PROGRAM, tmp_path)
