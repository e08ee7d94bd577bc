"""Fuzz one parser for ten minutes: `python -m tests.fuzz.fuzz TARGET [SECONDS]`; `all` for each.

With atheris installed by coverage of the exporter's own code, else by spoiling the seed. Ends with
what a target raised, and an exit code that is not 0.
"""

import importlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from .mutants import mutants

TEN_MINUTES = 600.0
AT_ONCE = 1000
LONGEST = 5  # seconds that one input may take


def by_chance(target: Callable[[bytes], object], seed: bytes, seconds: float) -> int:
    chance, runs, slowest = random.Random(), 0, 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for data in mutants(seed, AT_ONCE, chance):
            begin = time.monotonic()
            try:
                target(data)
            except Exception:
                click.echo(f"after {runs} runs, of {data!r}:")
                raise
            runs, slowest = runs + 1, max(slowest, time.monotonic() - begin)
            if time.monotonic() > end:
                break
    click.echo(f"{runs} runs, the slowest took {slowest:.3f} s")
    return 0


def by_coverage(
    atheris: Any, target: Callable[[bytes], object], seed: bytes, seconds: float
) -> int:
    with tempfile.TemporaryDirectory() as corpus:
        Path(corpus, "seed").write_bytes(seed)
        child = os.fork()
        if child == 0:
            limits = f"-max_total_time={seconds:.0f}", f"-timeout={LONGEST}", "-print_final_stats=1"
            atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", corpus], target)
            atheris.Fuzz()  # ends the process
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        return None


@click.command()
@click.argument("name", metavar="TARGET")
@click.argument("seconds", default=TEN_MINUTES)
def main(name: str, seconds: float) -> None:
    """Fuzz one target, or all of them, one after the other."""
    atheris = _atheris()
    # What it does not instrument it does not slow down either.
    with atheris.instrument_imports(include=["zope_exporter"]) if atheris else nullcontext():
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    seeds = importlib.import_module("tests.fuzz.seeds").seeds()
    failed = []
    for each in targets if name == "all" else [name]:
        click.echo(f"== {each}")
        if atheris:
            code = by_coverage(atheris, targets[each], seeds[each], seconds)
        else:
            code = by_chance(targets[each], seeds[each], seconds)
        failed += [each] if code else []
    if failed:
        sys.exit(f"found something: {', '.join(failed)}")


if __name__ == "__main__":
    main()
