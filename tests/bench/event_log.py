"""How fast an event log is counted by us and by mtail: whole processes in turn, medians.

Run as `python tests/bench/event_log.py`, from anywhere; `--help` tells the options.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.programs.debian import tool  # noqa: E402
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS  # noqa: E402

OURS = """
import json, sys
from zope_exporter.logs.event.counter import EventCounter
counter = EventCounter(patterns=json.loads(sys.argv[2]))
rest = b""
with open(sys.argv[1], "rb", buffering=0) as log:
    while block := log.read(1 << 20):
        end = block.rfind(b"\\n") + 1
        counter.feed(rest + block[:end])
        rest = block[end:]
print(json.dumps(counter.save()["records"]))
"""
MTAIL = r"""
counter records by severity
/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d{3})? (?P<severity>[A-Z]+) +\[/ {
  records[$severity]++
}
"""
USERS = {
    "timeout": r"[Tt]imed? ?out",
    "ldap": r"LDAP (?:bind|search) failed",
    "mail": r"SMTP\w*Error",
    "catalog": r"catalog.*inconsistent",
    "solr": r"solr.*(?:refused|unreachable)",
    "slow": r"took [0-9]{2,}\.[0-9]+ s",
    "login": r"login failed for '[^']*'",
    "transform": r"transform .* failed",
    "psycopg": r"psycopg2?\.\w+Error",
    "value": r"^ValueError: ",
}
LEVELS = {"INFO": 60, "WARNING": 22, "ERROR": 15, "DEBUG": 2, "CRITICAL": 1}
LOGGERS = ("Zope", "ZODB.Connection", "waitress.queue", "plone.app.content", "Products.CMFPlone")
FRAME = b"""\
  File "/srv/zope/lib/python3.11/site-packages/ZPublisher/WSGIPublisher.py", line %d, in publish
    return mapply(obj, request.args, request, call_object, 1, missing_name, dont_publish_class)
"""
ENDINGS = (b"ValueError: bad literal\n", b"AttributeError: title\n") * 50 + (
    b"ZODB.POSException.POSKeyError: 0x0123\n",
)


class Contestant(NamedTuple):
    name: str
    command: list[str]
    read: Callable[[str], dict[str, int]]


class Run(NamedTuple):
    cpu_seconds: float
    peak_bytes: int
    output: str


def records(count: int, expected: Counter[str]) -> Iterator[bytes]:
    """Records as Zope 6 writes them, every fourth with a traceback, tallied by severity."""
    choice = random.Random(1)
    for number in range(count):
        [level] = choice.choices(list(LEVELS), list(LEVELS.values()))
        expected[level] += 1
        clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        source = f"[{choice.choice(LOGGERS)}:{choice.randint(1, 900)}][waitress-{number % 4}]"
        yield f"2026-11-22 {clock} {level} {source} message {number} about something\n".encode()
        if number % 4 == 0:
            frames = choice.randint(1, 3)
            yield b"Traceback (most recent call last):\n" + FRAME % number * frames
            yield choice.choice(ENDINGS)


def run(command: list[str]) -> Run:
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        assert child.returncode == 0, output.read()
        return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.read())


def found_by_mtail(output: str) -> dict[str, int]:
    found = json.loads(output[output.index("{") :])
    values = [value for metric in found["records"] for value in metric["LabelValues"] or ()]
    return {value["Labels"][0]: value["Value"]["Value"] for value in values}


def found_by_us(output: str) -> dict[str, int]:
    counts: dict[str, int] = json.loads(output)
    return {name: count for name, count in counts.items() if count}


def mtail(log: Path, scratch: Path, patterns: dict[str, str]) -> list[str]:
    programs = scratch / f"mtail-{len(patterns)}"
    programs.mkdir()
    rules = [f'/{regex}/ {{\n  matches["{name}"]++\n}}\n' for name, regex in patterns.items()]
    declared = "counter matches by pattern\n" if rules else ""
    (programs / "event.mtail").write_text(declared + MTAIL + "".join(rules))
    local = ["--address", "127.0.0.1", "--port", "0", "--log_dir", str(scratch)]
    once = ["--one_shot", "--one_shot_format=json", "--progs", str(programs), *local]
    return [str(tool("mtail")), *once, "--logs", str(log)]


def race(log: Path, scratch: Path, lines: int, rounds: int, expected: Counter[str]) -> None:
    row = "{:<24}{:>8}{:>18}{:>16}{:>10}  {}"
    click.echo(row.format("", "CPU s", "lines per CPU s", "of first (CPU)", "peak MB", "exact"))
    ours = [[sys.executable, "-c", OURS, str(log), json.dumps(more)] for more in ({}, USERS)]
    known = {pattern.name: pattern.regex for pattern in KNOWN_PATTERNS}
    field = [
        Contestant("ours, known patterns", ours[0], found_by_us),
        Contestant("mtail, no patterns", mtail(log, scratch, {}), found_by_mtail),
        Contestant("mtail, known patterns", mtail(log, scratch, known), found_by_mtail),
        Contestant("ours, 10 more", ours[1], found_by_us),
        Contestant("mtail, 10 more", mtail(log, scratch, {**known, **USERS}), found_by_mtail),
    ]
    done = [[run(contestant.command) for contestant in field] for _ in range(rounds)]
    for index, contestant in enumerate(field):
        cpu = median(runs[index].cpu_seconds for runs in done)
        ratio = median(runs[index].cpu_seconds / runs[0].cpu_seconds for runs in done)
        peak = max(runs[index].peak_bytes for runs in done) / 1e6
        exact = "yes" if contestant.read(done[-1][index].output) == dict(expected) else "no"
        figures = f"{cpu:.2f}", f"{lines / cpu:,.0f}", f"{ratio:.2f}", f"{peak:.0f}"
        click.echo(row.format(contestant.name, *figures, exact))


@click.command()
@click.option("--count", default=1_000_000, help="records")
@click.option("--rounds", default=3)
def main(count: int, rounds: int) -> None:
    expected: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "event.log"
        lines = 0
        with log.open("wb") as file:
            for text in records(count, expected):
                lines += text.count(b"\n")
                file.write(text)
        size = log.stat().st_size / 1e6
        click.echo(f"{count} records, {lines} lines, {size:.0f} MB, medians of {rounds} rounds")
        race(log, Path(directory), lines, rounds, expected)


if __name__ == "__main__":
    main()
