"""What the agent costs a real Zope, and how soon it answers when that is in trouble.

Run as `python tests/bench/agent.py [ENVIRONMENT ...]`, by default zope63, from anywhere.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.programs.commands import Command  # noqa: E402
from tests.support.programs.processes import eventually  # noqa: E402
from tests.support.zopes.agent_answers import GET_STATUS, agent_of  # noqa: E402
from tests.support.zopes.agent_installed import with_agent  # noqa: E402
from tests.support.zopes.environments import Environment, environment  # noqa: E402
from tests.support.zopes.instances import ZopeInstance  # noqa: E402
from tests.support.zopes.pages import add_pages, burning, gate, publish_pages  # noqa: E402

ROUNDS = 5
REQUESTS = 2000  # of a round
# In one process, the same request by turns with everything of the agent in its way and with none.
PAIRED = """
import io, json, sys, time
from Zope2.Startup.run import make_wsgi_app
application = make_wsgi_app({}, sys.argv[1])
import Zope2
from zope.component import getGlobalSiteManager
from ZPublisher.interfaces import IPubFailure
from Products.ZopeExporterAgent.activation import activate
agent = activate()
counted = agent.counted(application)
monitor = Zope2.DB.getActivityMonitor()

class Fixed(object):  # keeps the agent's thread from putting the monitor back
    def watch(self, database):
        return monitor
agent._activity = Fixed()

def request(path, called):
    environ = {"REQUEST_METHOD": "GET", "SERVER_NAME": "x", "SERVER_PORT": "80",
               "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "", "PATH_INFO": path,
               "QUERY_STRING": "", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
               "wsgi.url_scheme": "http"}
    answer = called(environ, lambda status, headers, *exc_info: None)
    for piece in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()

def timed(path, called, watching):
    Zope2.DB.setActivityMonitor(watching)
    begin = time.perf_counter()
    request(path, called)
    return time.perf_counter() - begin

found = {"with": [], "without": []}
for number in range(int(sys.argv[2]) + 200):
    pair = [("with", counted, monitor), ("without", application, None)]
    for name, called, watching in pair if number % 2 else pair[::-1]:
        seconds = timed("/", called, watching)
        if number >= 200:
            found[name].append(seconds)

def nothing(environ, start_response):
    start_response("200 OK", [])
    return (b"", b"")

def each(path, called, watching, rounds=20000):
    begin = time.perf_counter()
    for _ in range(rounds):
        request(path, called)
    return (time.perf_counter() - begin) / rounds

connection = Zope2.DB.open()
empty = [each("/", agent.counted(nothing), None) - each("/", nothing, None) for _ in range(5)]
begin = time.perf_counter()
for _ in range(20000):
    monitor.closedConnection(connection)
found["wrap"] = min(empty)
found["monitor"] = (time.perf_counter() - begin) / 20000

from zope.event import notify
from ZPublisher.pubevents import PubAfterTraversal

class Asked(object):
    other = {"PUBLISHED": Zope2.app().index_html}

def traversed(environ, start_response):
    begin, event = time.perf_counter(), PubAfterTraversal(Asked)
    for _ in range(20000):
        notify(event)
    found["view"] = (time.perf_counter() - begin) / 20000
    return nothing(environ, start_response)

request("/", agent.counted(traversed))
print("RESULT" + json.dumps(found))
sys.stdout.flush()
"""


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            original = environment(name)
            copy = with_agent(original, Path(scratch) / name)
            add_pages(copy)
            write(f"{name}: the agent and nothing but the agent")
            if name != "zope213":
                added_to_a_request(copy, Path(scratch) / f"{name}-paired")
            throughput(original, copy, Path(scratch) / f"{name}-rounds")
            answers_in_trouble(copy, Path(scratch) / f"{name}-trouble")


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def added_to_a_request(zope: Environment, home: Path) -> None:
    instance = ZopeInstance(zope, home)
    command: Command = [zope.script("python"), "-c", PAIRED, instance.zope_conf, "4000"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    found = json.loads(line.removeprefix("RESULT"))
    differences = [
        with_it - without for with_it, without in zip(found["with"], found["without"], strict=True)
    ]
    write(
        f"  a request of {median(found['without']) * 1e6:.0f} us takes"
        f" {median(differences) * 1e6:+.1f} us more (median of {len(differences)} pairs);"
        f" around an empty application {found['wrap'] * 1e6:.1f} us,"
        f" for naming a view {found['view'] * 1e6:.1f} us with its event,"
        f" for a closed connection {found['monitor'] * 1e6:.1f} us"
    )


def throughput(plain: Environment, with_it: Environment, home: Path) -> None:
    home.mkdir()
    zopes = {
        "without": ZopeInstance(plain, home / "without"),
        "with": ZopeInstance(with_it, home / "with"),
    }
    with zopes["without"], zopes["with"]:
        for zope in zopes.values():
            load(zope, 200)
        for number in range(ROUNDS):
            turn = sorted(zopes, reverse=bool(number % 2))
            rounds = {name: measured(zopes[name]) for name in turn}
            write(f"  round {number + 1}: " + ", ".join(f"{it} {rounds[it]}" for it in zopes))
        sizes = {name: psutil.Process(it.pid).memory_info().rss for name, it in zopes.items()}
        write("  memory: " + ", ".join(f"{it} {sizes[it] / 1e6:.1f} MB" for it in sizes))


def measured(zope: ZopeInstance) -> str:
    def used() -> float:
        times = psutil.Process(zope.pid).cpu_times()
        return float(times.user + times.system)

    begin, before = time.perf_counter(), used()
    load(zope, REQUESTS)
    seconds = time.perf_counter() - begin
    return f"{REQUESTS / seconds:.0f}/s {(used() - before) / REQUESTS * 1e3:.3f} ms CPU"


def load(zope: ZopeInstance, requests: int) -> None:
    def some() -> None:
        connection = HTTPConnection("127.0.0.1", zope.port)
        for _ in range(requests // 2):
            connection.request("GET", "/")
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(some) for _ in range(2)]:
            done.result()


def answers_in_trouble(zope: Environment, home: Path) -> None:
    with ZopeInstance(zope, home) as instance:
        publish_pages(instance)
        agent = agent_of(home)
        write(f"  idle: {timing(agent.path, 300)}")
        for kind, page, file in (("stuck", "/hold", gate), ("burning", "/burn", burning)):
            with occupied(instance, page, file(home)):
                eventually(lambda: agent.status()["workers"]["busy"] == 4)
                write(f"  all workers {kind}: {timing(agent.path, 300 if kind == 'stuck' else 50)}")


@contextmanager
def occupied(zope: ZopeInstance, page: str, file: Path) -> Iterator[None]:
    file.touch()
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(zope.site.get, page, timeout=600) for _ in range(4)]
        try:
            yield
        finally:
            file.unlink()
            for request in busy:
                request.result()


def timing(path: Path, times: int) -> str:
    taken = sorted(timed(lambda: ask(path)) for _ in range(times))
    return (
        f"answers in {taken[times // 2] * 1e3:.1f} ms,"
        f" 99 % in {taken[times * 99 // 100] * 1e3:.1f}, all in {taken[-1] * 1e3:.1f}"
    )


def timed(act: Callable[[], None]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def ask(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        peer.sendall(GET_STATUS)
        while peer.recv(65536):
            pass


if __name__ == "__main__":
    main(sys.argv[1:] or ["zope63"])
