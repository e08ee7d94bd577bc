"""What `check` and the status page say of Plone sites, upgrade steps and missing code."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from zope_exporter.checks.finding import Severity
from zope_exporter.checks.plone import (
    judge_broken_classes,
    judge_broken_products,
    judge_plone_sites,
)
from zope_exporter.collectors.agent.instance import (
    BROKEN_CLASSES,
    BROKEN_INFO,
    BROKEN_PRODUCT_INFO,
    BROKEN_PRODUCTS,
)
from zope_exporter.collectors.plone import SITE_INFO, SITES, WAITING
from zope_exporter.discovery.inventory import Service
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.values import Values

MAIN = {"site": "intranet", "database": "main"}
ZOPE = {"site": "intranet", "zope": "client1"}
SERVICE = Service("zope", "client1", Path("/srv/zope/etc/zope.conf"))
FOUND = [
    SITES(2, **MAIN),
    SITE_INFO(1, plone_site="/Plone", version="6214", **MAIN),
    SITE_INFO(1, plone_site="/two", version="", **MAIN),
]
LISTED = "Plone sites: /Plone (6214), /two"
STEPS = "Profiles waiting for an upgrade step"


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (None, [LISTED]),
        ({"other": 0}, [LISTED, f"{STEPS}: none"]),
        ({"a:default": 2, "other": 0}, [LISTED, f"{STEPS}: 2: a:default"]),
        ({"a": 1, "b": 1, "other": 3}, [LISTED, f"{STEPS}: 5: a, b and more"]),
    ],
)
def test_sites_and_what_waits_in_them(waiting: dict[str, float] | None, said: list[str]) -> None:
    samples = [WAITING(count, profile=name, **MAIN) for name, count in (waiting or {}).items()]
    found = list(judge_plone_sites("intranet", Values([*FOUND, *samples])))
    assert [each.text for each in found] == said
    assert {each.severity for each in found} == {Severity.OK}


def test_of_a_database_without_a_plone_site_nothing_is_said() -> None:
    samples = [SITES(0, **MAIN), WAITING(0, profile="other", **MAIN)]
    assert list(judge_plone_sites("intranet", Values(samples))) == []


def named(*names: str) -> list[Sample]:
    return [BROKEN_INFO(1, **ZOPE, **{"class": name}) for name in names]


@pytest.mark.parametrize(
    ("count", "names", "said"),
    [
        (1, ["shop.Cart"], "1 class: shop.Cart ("),
        (2, ["shop.Cart", "shop.Item"], "2 classes: shop.Cart, shop.Item ("),
        (30, [f"c{number}" for number in range(20)], "30 classes: c0, c1, c2, c3, c4 and more ("),
        (2, [], "2 classes ("),  # an agent that does not name them
    ],
)
def test_missing_code_is_a_warning_with_the_names(
    count: int, names: Sequence[str], said: str
) -> None:
    samples = [BROKEN_CLASSES(count, **ZOPE), *named(*names)]
    [found] = judge_broken_classes("intranet", SERVICE, Values(samples))
    assert found.severity is Severity.WARNING
    assert f"is missing: {said}" in found.text


@pytest.mark.parametrize("samples", [[], [BROKEN_CLASSES(0, **ZOPE)]])
def test_without_missing_code_nothing_is_said(samples: list[Sample]) -> None:
    assert list(judge_broken_classes("intranet", SERVICE, Values(samples))) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Shop"], "started without Shop, which"),
        (
            [f"P{number}" for number in range(7)],
            "started without P0, P1, P2, P3, P4 and more, which",
        ),
    ],
)
def test_products_that_are_lacking_are_a_warning(names: Sequence[str], said: str) -> None:
    infos = [BROKEN_PRODUCT_INFO(1, product=name, **ZOPE) for name in names]
    values = Values([BROKEN_PRODUCTS(len(names), **ZOPE), *infos])
    [found] = judge_broken_products("intranet", SERVICE, values)
    assert found.severity is Severity.WARNING
    assert said in found.text


def test_where_no_product_is_lacking_nothing_is_said() -> None:
    values = Values([BROKEN_PRODUCTS(0, **ZOPE)])
    assert list(judge_broken_products("intranet", SERVICE, values)) == []
