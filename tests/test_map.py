"""The map leads to places that are there."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
MAP = (TOP / "exporter/README.md").read_text()
PACKAGE = TOP / "exporter/zope_exporter"
NAMED = sorted(set(re.findall(r"`([a-z_./]+(?:\.py|\.yml|/))`", MAP)))
ROOMS = re.findall(r"^\| \d+ \| `([a-z]+)/`", MAP, re.MULTILINE)


@pytest.mark.parametrize("path", NAMED)
def test_what_it_names_is_there(path: str) -> None:
    within = [TOP, PACKAGE, PACKAGE / "alerting", PACKAGE / "logs", PACKAGE / "clients"]
    within += [PACKAGE / "maintenance", PACKAGE / "storage", PACKAGE / "discovery"]
    assert any((top / path).exists() for top in within)


def test_it_shows_every_room_once() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(ROOMS) == sorted(rooms)


def test_its_floors_are_those_of_the_contract() -> None:
    contract = (TOP / "pyproject.toml").read_text()
    (listed,) = re.findall(r"^layers = \[\n(.*?)^\]", contract, re.MULTILINE | re.DOTALL)
    floors = [line.split(" | ") for line in re.findall(r'"([a-z |]+)"', listed)]
    assert [room for floor in floors for room in floor] == ROOMS
