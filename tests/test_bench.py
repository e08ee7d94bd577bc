"""The table of all comparisons is made of what each benchmark prints."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.all import PARTS, table_rows

BENCH = Path(__file__).with_name("bench")
SCRAPE = """\
zope-exporter: p50 5.0 ms, p95 9.1 ms
blackbox_exporter: p50 2.5 ms, p95 3.0 ms
"""


def test_a_figure_that_is_missing_is_told_with_the_reason() -> None:
    output = f"{SCRAPE}tests.cache.UnavailableError: node_exporter: no such package\n"
    with_blackbox, with_node = table_rows(PARTS["scrape"], output)
    assert with_blackbox.endswith("| blackbox_exporter | 5 ms | 2.5 ms | 0.5 |")
    assert "node_exporter: no such package" in with_node
    assert "not measured" in with_node


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_a_benchmark(name: str) -> None:
    assert (BENCH / f"{name}.py").is_file()


def test_one_part_is_measured_and_told_with_date_and_machine() -> None:
    command = [sys.executable, str(BENCH / "all.py"), "--quick", "--only", "maintenance"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "[1/1] maintenance" in run.stderr
    assert run.stdout.startswith("Measured on 20")
    rows = [line for line in run.stdout.splitlines() if " s CPU | " in line]
    assert len(rows) == len(PARTS["maintenance"].rows), run.stderr
