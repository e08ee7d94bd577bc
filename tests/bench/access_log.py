"""How fast an access log is counted by us and by others: whole processes in turn, medians.

Run as `python tests/bench/access_log.py`, from anywhere; `--help` tells the options.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Timer
from typing import Any, NamedTuple

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.logs import access_logs  # noqa: E402
from tests.support.logs.access_contestants import Result, contestants  # noqa: E402
from tests.support.logs.access_oracle import Expected, read_log  # noqa: E402

LIMIT = 120.0


class Run(NamedTuple):
    cpu_seconds: float
    peak_bytes: int
    output: str | None  # None if it had to be killed


def run(command: list[str]) -> Run:
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as child:
            limit = Timer(LIMIT, child.kill)
            limit.start()
            _, status, usage = os.wait4(child.pid, 0)
            limit.cancel()
            child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    killed = child.returncode == -signal.SIGKILL
    assert killed or child.returncode == 0, text
    cpu = usage.ru_utime + usage.ru_stime
    return Run(cpu, usage.ru_maxrss * 1024, None if killed else text)


def compare(result: Result, expected: Expected) -> str:
    """What of a result is right: with methods, with codes only, and the bytes."""
    if not result.requests:
        return "counts lines"
    kinds = {f"{method} {code}": n for (method, code), n in expected.requests.items()}
    codes: Counter[str] = Counter()
    for (_, code), n in expected.requests.items():
        codes[str(code)] += n
    verdict = "no"
    if result.requests == kinds:
        verdict = "yes"
    elif result.requests == codes:
        verdict = "codes only"
    return verdict + (", bytes not" if result.response_bytes != expected.response_bytes else "")


def write_log(path: Path, make: Callable[[int], Any], lines: int) -> None:
    with path.open("wb") as log:
        for line in islice(make(1), lines):
            log.write(line + b"\n")


def race(log: Path, scratch: Path, combined: bool, rounds: int) -> None:
    with log.open("rb") as file:
        expected = read_log(line.rstrip(b"\n") for line in file)
    lines = expected.requests.total() + expected.unparsed
    size = log.stat().st_size
    click.echo(f"{log.name}: {lines} lines, {size / 1e6:.0f} MB, median of {rounds} runs")
    field = contestants(log, scratch, combined)
    runs: list[list[Run]] = [[] for _ in field]
    for _ in range(rounds):
        for contestant, done in zip(field, runs, strict=True):
            done.append(run(contestant.command))
    row = "{:<15}{:>8}{:>16}{:>15}{:>10}  {}"
    click.echo(row.format("", "CPU s", "lines per CPU s", "of ours (CPU)", "peak MB", "exact"))
    ours = runs[0]
    for contestant, done in zip(field, runs, strict=True):
        cpu = median(each.cpu_seconds for each in done)
        ratio = median(a.cpu_seconds / b.cpu_seconds for a, b in zip(done, ours, strict=True))
        peak = max(each.peak_bytes for each in done) / 1e6
        output = done[-1].output
        exact = f"killed after {LIMIT:g} s"
        if output is not None:
            exact = compare(contestant.read(output), expected)
        speed = f"{lines / cpu:,.0f}"
        click.echo(
            row.format(contestant.name, f"{cpu:.2f}", speed, f"{ratio:.2f}", f"{peak:.0f}", exact)
        )


@click.command()
@click.option("--kind", type=click.Choice(["common", "zope", "hostile"]), default="common")
@click.option("--lines", default=2_000_000)
@click.option("--rounds", default=3)
@click.option("--log", type=click.Path(path_type=Path), help="an existing log, instead of one made")
def main(kind: str, lines: int, rounds: int, log: Path | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        path = log or scratch / f"{kind}.log"
        if log is None:
            write_log(path, getattr(access_logs, f"{kind}_lines"), lines)
        race(path, scratch, kind == "zope", rounds)


if __name__ == "__main__":
    main()
