"""Of all upgrade steps of a profile, those are told of that no other one covers."""

import pytest
from Products.ZopeExporterAgent.addons import last_steps


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([], []),
        ([("1", "2"), ("2", "3"), ("9", "10")], [["9", "10"]]),
        ([("1", "5"), ("2", "3")], [["1", "5"], ["2", "3"]]),
        ([(None, "2"), ("1", "3")], [["1", "3"], [None, "2"]]),
        ([(None, "4"), ("1", "3")], [[None, "4"]]),
        ([("1.0", "1.1"), ("1.0b1", "1.0"), ("1", "2rc1")], [["1.0", "1.1"]]),
    ],
)
def test_the_last_steps(steps: list[tuple[str | None, str]], last: list[list[str | None]]) -> None:
    assert last_steps(steps) == last
