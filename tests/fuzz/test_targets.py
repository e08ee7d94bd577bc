"""A number of spoiled inputs for each target, from which `python -m tests.fuzz.fuzz` goes on."""

import random

import pytest

from .mutants import mutants
from .seeds import seeds
from .targets import TARGETS, Target

RUNS = 200


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
