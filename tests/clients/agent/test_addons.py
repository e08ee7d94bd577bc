"""What agents tell of add-ons: by old ones nothing, by broken ones only what can be."""

import json
from typing import Any

import pytest

from zope_exporter.clients.agent.addons import (
    LONGEST,
    MOST_BROKEN,
    MOST_DISTRIBUTIONS,
    Addons,
    addons_of,
    broken_names,
)
from zope_exporter.clients.agent.answer import Answer

MANY = [f"shop.Class{number}" for number in range(MOST_BROKEN + 5)]


def answer(**instance: Any) -> Answer:
    return Answer(json.dumps({"protocol": 1, "instance": instance}).encode())


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ({}, Addons()),
        ({"distributions": {"shop": "1.0"}}, Addons({"shop": "1.0"})),
        ({"upgrade_steps": {}}, Addons(steps={})),
        (
            {"upgrade_steps": {"shop:default": [[None, "2"], ["2", "3"]]}},
            Addons(steps={"shop:default": ((None, "2"), ("2", "3"))}),
        ),
        ({"distributions": {"a\nb": "1" * 200}}, Addons({"a?b": "1" * LONGEST})),
    ],
)
def test_what_is_told(instance: dict[str, Any], expected: Addons) -> None:
    told = answer(**instance)
    assert addons_of(told) == expected
    assert told.problems == []


@pytest.mark.parametrize(
    "instance",
    [
        {"distributions": []},
        {"distributions": {"shop": 1}},
        {"upgrade_steps": "none"},
        {"upgrade_steps": {"shop:default": {"1": "2"}}},
        {"upgrade_steps": {"shop:default": ["12", 7]}},
    ],
)
def test_what_cannot_be_is_doubted(instance: dict[str, Any]) -> None:
    told = answer(**instance)
    found = addons_of(told)
    assert not found.distributions
    assert not any((found.steps or {}).values())
    assert told.problems


def test_no_more_is_taken_than_can_be_labels() -> None:
    distributions = {f"shop{number}": "1" for number in range(MOST_DISTRIBUTIONS + 5)}
    told = answer(distributions=distributions, broken_names=MANY)
    assert len(addons_of(told).distributions) == MOST_DISTRIBUTIONS
    assert len(broken_names(told, "broken_names")) == MOST_BROKEN
    assert broken_names(answer(), "broken_products") == []
