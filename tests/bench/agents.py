"""What an exporter with 200 agents takes: time of a scrape, memory, CPU.

Run as `python tests/bench/agents.py [AGENTS]`, from anywhere; it takes about two minutes. The
agents are processes that answer at once with what a Zope of two databases has to say.
"""

import json
import os
import signal
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import click
import httpx
import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.scrape import timed  # noqa: E402
from tests.support.programs.exporter import serving  # noqa: E402
from tests.support.programs.processes import eventually  # noqa: E402
from tests.support.zopes.fake_agent import STATUS, http  # noqa: E402

AGENTS = 200
SCRAPES = 200
INTERVAL = 0.2  # seconds between two scrapes
DATABASES = dict.fromkeys(("main", "temporary"), STATUS["databases"]["main"])
CONF = """instancehome {home}
<zodb_db main>
  <zeoclient>
    server 127.0.0.1:8100
    storage 1
  </zeoclient>
  mount-point /
</zodb_db>
"""


def main(agents: int = AGENTS) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        sockets = [home / f"{number}.sock" for number in range(agents)]
        config = configuration(home, sockets)
        flags = "--config.file", config
        with zopes(sockets), serving(home / "state", *flags, log=home / "log") as exporter:
            process = psutil.Process(exporter.process.pid)
            eventually(lambda: len(exporter.page().get("zope_agent_up", {})) == agents)
            seconds, spent = scrape(f"{exporter.url}/metrics", process)
            page = exporter.page()
            assert set(page["zope_agent_up"].values()) == {1.0}
            assert page["zope_collector_success"][frozenset({("collector", "agent")})] == 1
            series = sum(map(len, page.values()))
            memory = process.memory_info().rss
    cuts = statistics.quantiles(seconds, n=100)
    click.echo(f"{agents} agents, {series} series, {SCRAPES} scrapes:")
    click.echo(
        f"p50 {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms, max {max(seconds):.2f} s"
    )
    click.echo(f"RSS {memory / 1e6:.0f} MB, CPU {spent / SCRAPES * 1e3:.0f} ms a scrape")


def configuration(home: Path, sockets: list[Path]) -> Path:
    instances = []
    for number, path in enumerate(sockets):
        conf = home / f"zope{number}" / "etc/zope.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text(CONF.format(home=conf.parent.parent))
        of = {"pid_file": str(path.with_suffix(".pid")), "agent": f"unix:{path}"}
        instances.append({"zope_conf": str(conf), **of})
    config = home / "zope-exporter.yml"  # JSON is YAML
    sites = [{"name": "farm", "instances": instances}]
    config.write_text(json.dumps({"discover": False, "sites": sites}))
    return config


@contextmanager
def zopes(sockets: list[Path]) -> Iterator[None]:
    """Processes that are nothing but agents."""
    pids = []
    try:
        for path in sockets:
            pid = os.fork()
            if pid == 0:
                answer_at(path)
            pids.append(pid)
            path.with_suffix(".pid").write_text(str(pid))
        eventually(lambda: all(path.exists() for path in sockets))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def answer_at(path: Path) -> NoReturn:
    """Answer whoever asks, until killed."""
    answer = http({**STATUS, "databases": DATABASES})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        while True:
            peer, _ = listener.accept()
            with suppress(OSError), peer:
                peer.recv(4096)
                peer.sendall(answer)


def scrape(url: str, process: psutil.Process) -> tuple[list[float], float]:
    """Seconds of each scrape, and the CPU seconds of the exporter in all of them."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        timed(client, url)
        before = sum(process.cpu_times()[:2])
        seconds = []
        for _ in range(SCRAPES):
            seconds.append(timed(client, url))
            signal.sigtimedwait([], INTERVAL)
        return seconds, sum(process.cpu_times()[:2]) - before


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
