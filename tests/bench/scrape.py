"""What a scrape of one real site costs, beside blackbox_exporter probing the same Zope, and
node_exporter, which knows the same host.

Run as `python tests/bench/scrape.py`, from anywhere; it takes about two minutes.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import httpx
import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.programs.debian import tool  # noqa: E402
from tests.support.programs.exporter import Running, serving  # noqa: E402
from tests.support.programs.processes import eventually  # noqa: E402
from tests.support.programs.server import Server, free_port  # noqa: E402
from zope_exporter.demo.demo import Demo, demo_zope  # noqa: E402

SCRAPES = 200
IDLE_SECONDS = 60
BLACKBOX = "modules: {http: {prober: http, timeout: 5s}}\n"


def main() -> None:
    with demo_zope(lambda _: None) as demo, tempfile.TemporaryDirectory() as directory:
        demo.traffic.stop()  # only the scrapes are to be measured
        here = Path(directory)
        (here / "blackbox.yml").write_text(BLACKBOX)
        with (
            serving(demo.state_dir, log=here / "log") as exporter,
            running("blackbox_exporter", f"--config.file={here}/blackbox.yml", log=here) as probe,
            running("node_exporter", log=here) as node,
        ):
            eventually(lambda: exporter.value("zope_process_up", site="demo", zope="demo") == 1)
            pages = {
                "zope-exporter": f"{exporter.url}/metrics",
                "blackbox_exporter": f"{probe}/probe?module=http&target={demo.instance.url}",
                "node_exporter": f"{node}/metrics",
            }
            compare(pages)
            tell_idle(psutil.Process(exporter.process.pid))
            tell_hanging(demo, exporter)


@contextmanager
def running(program: str, *flags: str, log: Path) -> Iterator[str]:
    """An exporter of others at a port of its own; its URL."""
    address = f"127.0.0.1:{free_port()}"
    listen = f"--web.listen-address={address}"
    server = Server([tool(program), listen, *flags], log / f"{program}.log")
    try:
        server.wait_until(lambda: answers(f"http://{address}/"))
        yield f"http://{address}"
    finally:
        server.end()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def compare(pages: Mapping[str, str]) -> None:
    """Scrape all by turns, so that each meets the same moments of the machine."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        for url in pages.values():
            client.get(url)
        rounds = [[timed(client, url) for url in pages.values()] for _ in range(SCRAPES)]
    for name, seconds in zip(pages, zip(*rounds, strict=True), strict=True):
        cuts = statistics.quantiles(seconds, n=100)
        click.echo(f"{name}: p50 {cuts[49] * 1e3:.1f} ms, p95 {cuts[94] * 1e3:.1f} ms")


def timed(client: httpx.Client, url: str) -> float:
    return took(lambda: client.get(url).raise_for_status())


def took(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def tell_idle(process: psutil.Process) -> None:
    before = process.cpu_times()
    signal.sigtimedwait([], IDLE_SECONDS)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    memory = process.memory_info().rss
    click.echo(f"idle CPU {spent / IDLE_SECONDS:.2%}, RSS {memory / 1e6:.1f} MB")


def tell_hanging(demo: Demo, exporter: Running) -> None:
    """Scrape while Zope is stopped in its tracks: its port accepts but nobody answers."""
    os.kill(demo.pid, signal.SIGSTOP)
    try:
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "3"}
        url = f"{exporter.url}/metrics"
        with httpx.Client(trust_env=False, timeout=30, headers=headers) as client:
            seconds = took(lambda: client.get(url))
            page = client.get(url).text
    finally:
        os.kill(demo.pid, signal.SIGCONT)
    there = [name for name in ("zope_process_up", "zope_filestorage_size_bytes") if name in page]
    click.echo(f"Zope hanging, scrape timeout 3 s: {seconds:.2f} s, with {' and '.join(there)}")


if __name__ == "__main__":
    main()
