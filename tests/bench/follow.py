"""What following costs: 50 logs at 2,000 lines a second in all, and one that is idle.

    python tests/bench/follow.py [SECONDS]

These are the costs of all it takes: the follower, the parser of access logs, the state file and
the watch. Every half interval there is a scrape.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from zope_exporter.logs.access.counter import REQUESTS, AccessCounter
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.tail import Tail
from zope_exporter.logs.tail.watch import INTERVAL, LogWatch

LOGS = 50
LINES_PER_SECOND = 2000
LINE = b'127.0.0.1 - - [01/Jan/2026:12:00:00 +0100] "GET /%d HTTP/1.1" 200 12345 "-" "%s"\n'
ROUNDS = 2000


def follow(directory: Path) -> None:
    """Follow until standard input ends, then tell what that took."""
    sources = [
        LogSource("site", str(number), directory / f"{number}.log", "access")
        for number in range(LOGS)
    ]
    watch = LogWatch(lambda: sources, lambda _: AccessCounter(), LogStore(directory / "state"))
    watch.start()
    watch.refresh(30)
    process = psutil.Process()
    before, started = process.cpu_times(), time.monotonic()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ended = threading.Event()
    threading.Thread(target=wait_for_end, args=(ended,), daemon=True).start()
    while not ended.wait(INTERVAL / 2):
        watch.refresh(30)
    watch.refresh(30)
    spent, seconds = process.cpu_times(), time.monotonic() - started
    samples = [sample for source in sources for sample in watch.snapshot(source).counted]
    counted = sum(sample.value for sample in samples if sample.metric is REQUESTS)
    cpu = spent.user + spent.system - before.user - before.system
    report = {"cpu": cpu / seconds, "rss": process.memory_info().rss, "counted": counted}
    sys.stdout.write(json.dumps(report) + "\n")
    watch.stop()


def wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def load(directory: Path, seconds: float) -> None:
    for number in range(LOGS):
        (directory / f"{number}.log").touch()
    command = [sys.executable, __file__, "follow", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        written = write(directory, seconds)
        report = json.loads(follower.communicate()[0])
    sys.stdout.write(
        f"{LOGS} logs, {written / seconds:.0f} lines/s: {report['cpu']:.2%} of a core,"
        f" RSS {report['rss'] / 1e6:.1f} MB, counted {report['counted']:.0f} of {written}\n"
    )


def write(directory: Path, seconds: float) -> int:
    streams = [(directory / f"{number}.log").open("ab", buffering=0) for number in range(LOGS)]
    started, written, pause = time.monotonic(), 0, threading.Event()
    while (now := time.monotonic() - started) < seconds:
        while written < now * LINES_PER_SECOND:
            streams[written % LOGS].write(LINE % (written, b"x" * 60))
            written += 1
        pause.wait(0.02)
    for stream in streams:
        stream.close()
    return written


def single(directory: Path) -> None:
    path = directory / "one.log"
    path.write_bytes(b"".join(LINE % (number, b"y") for number in range(1000)))
    log = Tail(path, AccessCounter)
    log.look()
    threading.Event().wait(1.5)  # until the file counts as settled
    log.look()
    idle = microseconds(log, lambda: None)
    with path.open("ab", buffering=0) as stream:
        grown = microseconds(log, lambda: stream.write(LINE % (0, b"z") * 200))
    sys.stdout.write(
        f"a look at an unchanged log: {idle:.1f} us, with 200 new lines {grown:.1f} us\n"
    )
    log.close()


def microseconds(log: Tail, change: Callable[[], object]) -> float:
    spent = []
    for _ in range(ROUNDS):
        change()
        started = time.perf_counter_ns()
        log.look()
        spent.append(time.perf_counter_ns() - started)
    return statistics.median(spent) / 1000


if __name__ == "__main__":
    if sys.argv[1:2] == ["follow"]:
        follow(Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as name:
            single(Path(name))
            load(Path(name), float(sys.argv[1]) if sys.argv[1:] else 30)
