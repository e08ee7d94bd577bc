"""What an agent answers about views: believed number by number, and put together."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.zopes.fake_agent import answering, fake_agent, http
from zope_exporter.clients.agent.answer import AgentError
from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.agent.views import OTHER, Slice, Sums, merged

FIELDS = ["requests", "seconds", "loads", "conflicts", "errors"]
LISTING, LONG = "pkg.Listing/listing", "x" * 201


def asked(tmp_path: Path, fields: object, views: object) -> list[Slice]:
    slices = [{"start": 1.8e9, "seconds": 600, "views": views}]
    answer: dict[str, Any] = {"protocol": 1, "fields": fields, "slices": slices}
    with fake_agent(tmp_path / "agent.sock", answering(http(answer))) as path:
        return AgentClient(path, 20).views()


@pytest.mark.parametrize(
    ("fields", "row", "sums"),
    [
        (FIELDS, [4, 2.5, 7, 1, 2], Sums(4, 2.5, 7, 1, 2)),
        (FIELDS[::-1], [2, 1, 7, 2.5, 4], Sums(4, 2.5, 7, 1, 2)),
        (["of later", *FIELDS], [9, 4, 2.5, 7, 1, 2], Sums(4, 2.5, 7, 1, 2)),
        ([*FIELDS, "load_seconds"], [4, 2.5, 7, 1, 2, 1.5], Sums(4, 2.5, 7, 1, 2, 1.5)),
    ],
)
def test_numbers_are_known_by_their_names(
    tmp_path: Path, fields: list[str], row: list[float], sums: Sums
) -> None:
    assert asked(tmp_path, fields, {LISTING: row}) == [Slice(1.8e9, 600, {LISTING: sums})]


def test_names_that_can_be_none_are_counted_together(tmp_path: Path) -> None:
    views = {name: [1, 2, 3, 4, 5] for name in ("a\x1b[2J", LONG, "", OTHER)}
    [found] = asked(tmp_path, FIELDS, views)
    assert found.views == {OTHER: Sums(4, 8, 12, 16, 20)}


@pytest.mark.parametrize(
    ("fields", "views"),
    [
        (FIELDS[1:], {LISTING: [1, 2, 3, 4]}),
        (FIELDS, {LISTING: [1, 2, 3, 4]}),
        (FIELDS, {LISTING: [1, 2, 3, 4, -5]}),
        (FIELDS, {LISTING: {"requests": 1}}),
        (FIELDS, [LISTING]),
        ("requests", {LISTING: [1, 2, 3, 4, 5]}),
    ],
)
def test_numbers_that_cannot_be_are_no_answer(
    tmp_path: Path, fields: object, views: object
) -> None:
    with pytest.raises(AgentError, match="the agent's answer cannot be: "):
        asked(tmp_path, fields, views)


def test_an_older_agent_is_told_apart(tmp_path: Path) -> None:
    answer = answering(http({"protocol": 1, "error": "no such page"}, "404 Not Found"))
    with (
        fake_agent(tmp_path / "agent.sock", answer) as path,
        pytest.raises(AgentError, match="knows no /v1/views: install the agent of this"),
    ):
        AgentClient(path, 20).views()


def test_sums_of_several_zopes_are_added_by_view() -> None:
    one, two = Sums(1, 2, 3, 4, 5), Sums(1, 1, 1, 1, 1)
    together = merged([{"a": one, "b": one}, {"a": one}, {"b": two}])
    assert together == {"a": Sums(2, 4, 6, 8, 10), "b": Sums(2, 3, 4, 5, 6)}


def test_the_time_of_loads_is_known_of_both_or_of_none() -> None:
    timed, plain = Sums(1, 2, load_seconds=0.5), Sums(1, 2)
    assert timed.plus(timed).load_seconds == 1
    assert timed.plus(plain).load_seconds is plain.plus(timed).load_seconds is None
