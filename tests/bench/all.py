"""All that a user might pick instead, measured by the benchmarks beside this one: a table of it.

Run as `python tests/bench/all.py [--quick] [--only PART]`, from anywhere. All of it takes about an
hour of CPU time, most of it of the others, and 10 GB in TMPDIR; `--quick` takes a minute, and says
whether it runs, not how fast. What each part prints goes to stderr, the table to stdout.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).parents[2]


class Row(NamedTuple):
    what: str
    other: str
    # What stands before our figure and that of the other in the lines of the benchmark, as regexes.
    our_line: str
    their_line: str


class Part(NamedTuple):
    arguments: tuple[str, ...]
    quick: tuple[str, ...]
    unit: str
    rows: tuple[Row, ...]
    less_is_better: bool = True


ACCESS = "access log of 2,000,000 lines"
EVENTS = "event log of 1,000,000 records"
KNOWN = "known patterns"
SAVED = "damaged Data.fs, of which more is saved"
PARTS = {
    "access_log": Part(
        ("--lines", "2000000"),
        ("--lines", "20000", "--rounds", "1"),
        "s CPU",
        tuple(
            Row(f"{ACCESS}, by method and code", other, "zope-exporter", other)
            for other in ("mtail", "goaccess", "mawk")
        ),
    ),
    "event_log": Part(
        ("--count", "1000000"),
        ("--count", "5000", "--rounds", "1"),
        "s CPU",
        (
            Row(f"{EVENTS}, known patterns", "mtail", f"ours, {KNOWN}", f"mtail, {KNOWN}"),
            Row(f"{EVENTS}, 10 patterns more", "mtail", "ours, 10 more", "mtail, 10 more"),
        ),
    ),
    "scrape": Part(
        (),
        (),
        "ms",
        tuple(
            Row("scrape of a site, median", other, "zope-exporter: p50", f"{other}: p50")
            for other in ("blackbox_exporter", "node_exporter")
        ),
    ),
    "datafs": Part(
        ("1800000",),
        ("20000",),
        "s CPU",
        (
            Row(
                "classes and garbage of a Data.fs of 2 GB",
                "ZODB's analyze, without garbage",
                "count, classes, references",
                "ZODB.scripts.analyze",
            ),
            Row(
                "transactions and objects of it",
                "ZODB's FileIterator",
                "first count, with index",
                "FileIterator, all records",
            ),
        ),
    ),
    "growth": Part(
        (),
        ("6000",),
        "s CPU",
        (
            Row(
                "what a Data.fs has grown by, compressed records",
                "ZODB's FileIterator, records alone",
                "growth, all records",
                "FileIterator, all records",
            ),
        ),
    ),
    "backup": Part(
        ("1700000",),
        ("2000",),
        "s CPU",
        (
            Row("full backup of 2 GB", "repozo", "full +ours", "full +repozo"),
            Row("full backup of 2 GB", "restic", "full +ours", "full +restic"),
            Row(
                "the same with a proof that reads all",
                "repozo, -BF and -V",
                "proven full +ours_proven",
                "proven full +repozo, -BF and -V",
            ),
            Row("20 MB more", "repozo", "incremental +ours", "incremental +repozo"),
            Row("20 MB more", "restic", "incremental +ours", "incremental +restic"),
            Row("nothing new", "repozo", "nothing new +ours", "nothing new +repozo"),
            Row(
                "a trial restore that reads all",
                "cp and FileIterator",
                "verify +verified",
                "verify +copied_and_walked",
            ),
        ),
    ),
    "maintenance": Part(
        ("200000",),
        ("2000",),
        "s CPU",
        (
            Row("pack of 200,000 records", "ZODB's pack", "pack of a file", "ZODB: pack"),
            Row("restore of them", "cp, unproven", "restore", "cp"),
            Row("recover all of them", "fsrecover", "recover", "fsrecover"),
        ),
    ),
    "beside_fsrecover": Part(
        (),
        ("0", "1"),
        "files",
        (
            Row(SAVED, "fsrecover", r"damages: .* files, of", "damages: .* more, of"),
            Row(f"{SAVED}, two damages", "fsrecover", r"two_.* files, of", "two_.* more, of"),
        ),
        less_is_better=False,
    ),
}


def figure(line: str, output: str) -> float | None:
    """The number after `line`; the last, as benchmarks of several sizes begin with the smallest."""
    found = re.findall(rf"^{line} +([\d.]+)", output, re.MULTILINE)
    return float(found[-1]) if found else None


def table_rows(part: Part, output: str) -> Iterator[str]:
    """The rows of a part; where a figure is missing, with the last that the benchmark said."""
    said = (output.splitlines() or ["it printed nothing"])[-1]
    for row in part.rows:
        ours, theirs = figure(row.our_line, output), figure(row.their_line, output)
        if ours is None or theirs is None:
            yield f"| {row.what} | {row.other} | not measured: {said[:120]} | | |"
            continue
        times = f"{theirs / ours:.1f}" if part.less_is_better and ours else ""
        figures = f"{ours:g} {part.unit} | {theirs:g} {part.unit}"
        yield f"| {row.what} | {row.other} | {figures} | {times} |"


def measured(name: str, arguments: tuple[str, ...]) -> str:
    """What a benchmark says, its errors too."""
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *arguments]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    output = ""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
    ) as child:
        assert child.stdout
        for line in child.stdout:
            click.echo(f"    {line}", err=True, nl=False)
            output += line
    return output


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", info, re.MULTILINE)
    cpu = f"{os.cpu_count()} x {model[1] if model else platform.machine()}"
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {cpu}, {system}"


@click.command()
@click.option("--only", "names", type=click.Choice(list(PARTS)), multiple=True)
@click.option("--quick", is_flag=True, help="Small inputs: whether it runs, not how fast.")
def main(names: tuple[str, ...], quick: bool) -> None:
    chosen = names or tuple(PARTS)
    rows: list[str] = []
    for number, name in enumerate(chosen, 1):
        part = PARTS[name]
        click.echo(f"[{number}/{len(chosen)}] {name}", err=True)
        rows += table_rows(part, measured(name, part.quick if quick else part.arguments))
    click.echo(f"Measured on {machine()}{', with small inputs' if quick else ''}.\n")
    click.echo("| what | instead | zope-exporter | the other | times as fast |")
    click.echo("|---|---|---|---|---|")
    for row in rows:
        click.echo(row)


if __name__ == "__main__":
    main()
