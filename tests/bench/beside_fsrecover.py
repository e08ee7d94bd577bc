"""Many more damaged files than the tests make: what `recover` and fsrecover save of each.

Run as `python tests/bench/beside_fsrecover.py [FIRST] [LAST]`, which are seeds, from anywhere; each
file has one flaw, then two at once.
"""

import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.maintenance.recover.test_beside_fsrecover import Score, judged, rounds  # noqa: E402
from tests.support.databases.damages import damages, two_at_once  # noqa: E402


def main(first: str = "0", last: str = "20") -> None:
    for made in damages, two_at_once:
        score = Score()
        with tempfile.TemporaryDirectory() as name:
            for original, seed in rounds(Path(name), range(int(first), int(last))):
                judged(original, list(made(original.read_bytes(), seed)), score)
        click.echo(
            f"{made.__name__}: {score.files} files, of {score.better} it saved more,"
            f" of {len(score.worse)} less, of {len(score.made_up)} what was not there"
        )
        for line in (*score.worse, *score.made_up):
            click.echo(f"  {line[:300]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
