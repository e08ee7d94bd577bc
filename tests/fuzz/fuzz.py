"""Fuzz one parser for ten minutes: `python tests/fuzz/fuzz.py TARGET [SECONDS]`, from anywhere.

With atheris installed by coverage, else by spoiling the seed. Ends with what a target raised.
"""

import importlib
import random
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.mutants import mutants  # noqa: E402
from tests.fuzz.seeds import seeds  # noqa: E402
from tests.fuzz.targets import TARGETS, Target  # noqa: E402

TEN_MINUTES = "600"
AT_ONCE = 1000


def by_chance(target: Target, seed: bytes, seconds: float) -> None:
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


def main(name: str, seconds: str = TEN_MINUTES) -> None:
    target, seed = TARGETS[name], seeds()[name]
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        by_chance(target, seed, float(seconds))
        return
    with tempfile.TemporaryDirectory() as corpus:
        Path(corpus, "seed").write_bytes(seed)
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-timeout=5", corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
