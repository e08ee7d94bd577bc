"""What waits in Plone sites, and which add-ons run, from what the agents and the scans tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from zope_exporter.clients.agent.addons import Addons, Step, waits
from zope_exporter.collectors.plone import MOST_PROFILES, PLONE, WAITING, PloneCollector
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry
from zope_exporter.storage.filestorage.followed_sites import PloneSites

GOLDEN = Path(__file__).with_name("golden")
MAIN = "intranet", "main"
SHOP = {"shop:default": (("1", "2"),)}
SITES: PloneSites = {
    "/Plone": {PLONE: "6214", "shop:default": "1"},
    "/sites/two": {"shop:default": "1"},
    "/sites/three": {"shop:default": "2"},
}


def told(addons: Mapping[str, Addons], sites: PloneSites) -> Registry:
    by_zope = {("intranet", zope): each for zope, each in addons.items()}
    return Registry([PloneCollector(lambda: by_zope, lambda: {MAIN: sites})])


def waiting(addons: Mapping[str, Addons], sites: PloneSites) -> dict[str, float]:
    samples = told(addons, sites).scrape(1).samples
    return {each.labels[2]: each.value for each in samples if each.metric is WAITING}


def test_golden_page() -> None:
    addons = {
        "client1": Addons({"Products.CMFPlone": "6.2.2", "shop": "1.0"}, SHOP),
        "client2": Addons({"Products.CMFPlone": "6.2.2", "shop": "1.1"}, {}),
    }
    samples = told(addons, SITES).scrape(1).samples
    own = [each for each in samples if "collector" not in each.metric.name]
    page, _ = encode(own, "")
    assert page.decode() == (GOLDEN / "plone.txt").read_text()


@pytest.mark.parametrize(
    ("addons", "sites", "expected"),
    [
        ({"a": Addons(steps=SHOP), "b": Addons(steps={})}, SITES, {"shop:default": 2, "other": 0}),
        ({"a": Addons(steps={})}, SITES, {"other": 0}),
        ({"a": Addons({"shop": "1.0"})}, SITES, {}),  # an agent that does not tell of steps
        ({}, SITES, {}),
        ({"a": Addons(steps=SHOP)}, {}, {}),
        ({"a": Addons(steps=SHOP)}, {**SITES, "/odd": None}, {}),
    ],
)
def test_what_waits_is_told_where_both_sides_are_known(
    addons: Mapping[str, Addons], sites: PloneSites, expected: dict[str, float]
) -> None:
    assert waiting(addons, sites) == expected


def test_of_many_profiles_that_wait_some_are_named() -> None:
    profiles = [f"p{number:03}:default" for number in range(MOST_PROFILES + 7)]
    steps = dict.fromkeys(profiles, (("1", "2"),))
    found = waiting({"a": Addons(steps=steps)}, {"/Plone": dict.fromkeys(profiles, "1")})
    assert len(found) == MOST_PROFILES + 1
    assert found["other"] == 7
    assert sum(found.values()) == len(profiles)


@pytest.mark.parametrize(
    ("installed", "steps", "expected"),
    [
        ("1", [("1", "2")], True),
        ("1.0", [("1", "2")], True),  # the same version
        ("2", [("1", "2")], False),
        ("9", [("9", "10")], True),
        ("1.5", [("1", "2")], False),  # beyond where the step starts
        ("1", [("2", "3")], True),  # the steps up to there are left out
        ("1", [(None, "2")], True),
        ("3", [(None, "2"), ("3", "4")], True),
        ("unknown", [(None, "2")], False),
        ("1.0b1", [("1", "2")], False),
        ("1", [("1", "2b1")], False),
        ("1", [("²", "2")], False),
        ("1", [], False),
    ],
)
def test_a_step_waits_that_begins_at_what_is_installed_or_later(
    installed: str, steps: Sequence[Step], expected: bool
) -> None:
    assert waits(installed, steps) is expected
