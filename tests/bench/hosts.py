"""What hosts of 1 to 300 sites cost the exporter: a table, beside another version if one is given.

Run as `python tests/bench/hosts.py [--beside TREE] [SITES...]`, as root, from anywhere; it takes
some ten minutes. Each site is a process that looks like a Zope, with zope.conf, access and event
log, Data.fs, a page to probe and an agent, in a namespace where no other process is seen. TREE is
another checkout; both are measured by turns. CPU and times are medians.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import httpx
import psutil

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # after the version of zope_exporter that is to be measured

from tests.bench.growth import small  # noqa: E402
from tests.support.programs.exporter import environment, serving  # noqa: E402
from tests.support.zopes.fake_agent import STATUS, http  # noqa: E402
from tests.support.zopes.lookalikes import zope_instance  # noqa: E402

SIZES = (1, 10, 50, 100, 300)
ROUNDS = 2
TIMES = 5
TIMEOUT = {"X-Prometheus-Scrape-Timeout-Seconds": "60"}
APART = "ZOPE_EXPORTER_BENCH_APART"
FIRST_PORT = 20000
COLUMNS = (
    *("sites", "version", "scrape CPU ms", "scrape ms", "page CPU ms", "survey CPU ms"),
    *("round over all logs, CPU ms", "RSS MB", "descriptors", "samples"),
)
LOGGING = """
[filter:translogger]
use = egg:Paste#translogger
setup_console_handler = False
[loggers]
keys = root, wsgi
[handlers]
keys = accesslog, eventlog
[formatters]
keys = message, generic
[formatter_message]
format = %(message)s
[formatter_generic]
format = %(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
[logger_root]
level = INFO
handlers = eventlog
[logger_wsgi]
level = INFO
handlers = accesslog
qualname = wsgi
propagate = 0
"""
HANDLER = """[handler_{kind}log]
class = FileHandler
args = ('{home}/var/log/{kind}.log', 'a')
formatter = {formatter}
"""
LINES = {
    "access": '127.0.0.1 - - [30/Nov/2026:10:37:51 +0100] "GET / HTTP/1.1" 200 12 "-" "curl/8"\n',
    "event": "2026-11-30 10:37:51,000 INFO [shop:17][waitress-0] started\n",
}
ZOPE = """
import os, selectors, socket, sys
var = os.path.dirname(os.path.dirname(sys.argv[1])) + "/var"
port, answer = int(os.environ["PORT"]), open(os.environ["ANSWER"], "rb").read()
page = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nOK"
held = open(var + "/Data.fs", "rb+")
ready = selectors.DefaultSelector()
agent = f"{var}/zope-exporter-{os.getpid()}.sock"
for family, address, text in (2, ("127.0.0.1", port), page), (1, agent, answer):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(64)
    ready.register(listener, selectors.EVENT_READ, text)
while True:
    for key, _ in ready.select():
        peer, _ = key.fileobj.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(key.data)
"""


@contextmanager
def host(top: Path, sites: int) -> Iterator[None]:
    """So many sites, served until the block ends."""
    program, answer = top / "runwsgi", top / "answer"
    program.write_text(ZOPE)
    answer.write_bytes(http({**STATUS, "databases": {"main": STATUS["databases"]["main"]}}))
    with ExitStack() as running:
        for number in range(sites):
            ini = make_site(top / f"site{number}", FIRST_PORT + number)
            command = [sys.executable, "-S", "-E", str(program), str(ini)]
            environ = {"PORT": str(FIRST_PORT + number), "ANSWER": str(answer)}
            zope = running.enter_context(subprocess.Popen(command, env=environ))
            running.callback(zope.kill)
        yield


def make_site(home: Path, port: int) -> Path:
    """Make all files of a site; return its zope.ini."""
    ini = zope_instance(home, port=port)
    text = ini.read_text().replace("pipeline = zope", "pipeline = translogger zope") + LOGGING
    (home / "var/log").mkdir(parents=True)
    for kind, formatter in (("access", "message"), ("event", "generic")):
        (home / f"var/log/{kind}.log").write_text(LINES[kind])
        text += HANDLER.format(kind=kind, home=home, formatter=formatter)
    ini.write_text(text)
    small(home / "var/Data.fs", 50)
    return ini


def measured(top: Path, sites: int, tree: Path) -> list[float]:
    """The figures of one version on a host, in the order of the columns."""
    path = f"{tree / 'exporter'}"
    state = Path(tempfile.mkdtemp(dir=top))
    with serving(state, log=state / "log", environ={"PYTHONPATH": path}) as exporter:
        while not is_complete(exporter.url, sites):
            signal.sigtimedwait([], 5)
        log_more(top)
        process = psutil.Process(exporter.process.pid)
        with most_descriptors(process) as descriptors, httpx.Client(trust_env=False) as client:
            served = [turn(client, exporter.url, process, top) for _ in range(TIMES)]
        memory = process.memory_info().rss / 1e6
        samples = sum(map(len, exporter.page().values()))
    command = [sys.executable, __file__, "--inside"]
    inside = subprocess.run(
        command,
        env={**environment(state), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    medians = [statistics.median(each) * 1e3 for each in zip(*served, strict=True)]
    return [*medians, *map(float, inside.stdout.split()), memory, max(descriptors), samples]


def is_complete(url: str, sites: int) -> bool:
    """Whether all there is has been found, scanned and read."""
    page = httpx.get(f"{url}/metrics", headers=TIMEOUT, timeout=90, trust_env=False).text
    each = "zope_agent_up", "zope_process_up", "zope_ping_up", "zope_filestorage_objects"
    complete = all(page.count(f"\n{name}{{") == sites for name in each)
    return complete and page.count("\nzope_log_size_bytes{") == 2 * sites


def log_more(top: Path) -> None:
    """Write a line to each log: what a file tells, no agent does."""
    for kind, line in LINES.items():
        for path in top.glob(f"site*/var/log/{kind}.log"):
            with path.open("a") as log:
                log.write(line)


def turn(
    client: httpx.Client, url: str, process: psutil.Process, top: Path
) -> tuple[float, float, float]:
    """CPU and time of a scrape after a request to each site, and CPU of the page that shows it."""
    log_more(top)
    before, began = cpu(process), time.perf_counter()
    client.get(f"{url}/metrics", headers=TIMEOUT, timeout=90).raise_for_status()
    between, ended = cpu(process), time.perf_counter()
    client.get(url, timeout=90).raise_for_status()
    return between - before, ended - began, cpu(process) - between


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def most_descriptors(process: psutil.Process) -> Iterator[list[int]]:
    """The numbers of those open, all the time."""
    seen, over = [process.num_fds()], threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.append(process.num_fds())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def inside() -> None:
    """Print what a survey and a round over all logs take, in ms of CPU."""
    from zope_exporter.config.log_settings import KnownLogs
    from zope_exporter.config.schema import Config
    from zope_exporter.config.search import watch
    from zope_exporter.logs.counters import CounterMaker
    from zope_exporter.logs.tail.store import LogStore
    from zope_exporter.logs.tail.watch import LogWatch
    from zope_exporter.system.state import state_file

    config = Config()
    state, problem = state_file(None)
    watcher = watch(config)
    counters = CounterMaker({})
    sources = KnownLogs(config, watcher.inventory)
    logs = LogWatch(sources, counters.of_file, LogStore(state, problem))
    logs.start()
    for work in (watcher.rescan, logs.refresh):
        work(60)
        click.echo(f"{statistics.median(spent(work) for _ in range(TIMES)) * 1e3:.2f}")
    logs.stop()
    watcher.stop()


def spent(work: Callable[[float], object]) -> float:
    before = time.process_time()
    work(60)
    return time.process_time() - before


@click.command()
@click.argument("sites", type=int, nargs=-1)
@click.option("--beside", type=click.Path(path_type=Path, exists=True), help="Another checkout.")
@click.option("--inside", "is_inside", is_flag=True, hidden=True)
def main(sites: tuple[int, ...], beside: Path | None, is_inside: bool) -> None:
    if is_inside:
        inside()
        return
    if APART not in os.environ:
        apart = "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"
        command = [*apart, sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, APART: "1"})
    trees = {"this": ROOT, **({"other": beside.resolve()} if beside else {})}
    click.echo(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for size in sites or SIZES:
        with tempfile.TemporaryDirectory() as directory, host(Path(directory), size):
            found: dict[str, list[list[float]]] = {name: [] for name in trees}
            for _ in range(ROUNDS):
                for name, tree in trees.items():
                    found[name].append(measured(Path(directory), size, tree))
        for name, rounds in found.items():
            figures = [statistics.median(each) for each in zip(*rounds, strict=True)]
            click.echo(f"| {size} | {name} | {' | '.join(f'{each:.4g}' for each in figures)} |")


if __name__ == "__main__":
    main()
