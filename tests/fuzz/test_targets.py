"""A number of spoiled inputs for each target, from which `python -m tests.fuzz.fuzz` goes on."""

import json
import random

import pytest

from .mutants import mutants
from .seeds import MANIFEST, STAMP, VERIFICATION, seeds
from .targets import TARGETS, Target

RUNS = 200
# What the fuzzer has found: each of these raised something else than its parser documents.
FOUND = (
    ("command_line", b"gunicorn"),
    ("current", json.dumps({"stamp": STAMP, "time": 1e17, "tid": 5}).encode()),
    ("verification", json.dumps({**VERIFICATION, "time": 1e17}).encode()),
    ("manifest", json.dumps({**MANIFEST, "made": 1e17}).encode()),
)


@pytest.fixture(scope="module")
def right() -> dict[str, bytes]:
    return seeds()


def _only_documented(target: Target, data: bytes) -> None:
    try:
        target(data)
    except Exception as error:
        raise AssertionError(f"of {data[:2000]!r}") from error


@pytest.mark.parametrize("name", TARGETS)
def test_only_documented_errors_come_out(name: str, right: dict[str, bytes]) -> None:
    target = TARGETS[name]
    for data in mutants(right[name], RUNS, random.Random(name)):
        _only_documented(target, data)


@pytest.mark.parametrize(("name", "data"), FOUND, ids=[name for name, _ in FOUND])
def test_what_was_found_once_is_mended(name: str, data: bytes) -> None:
    _only_documented(TARGETS[name], data)
