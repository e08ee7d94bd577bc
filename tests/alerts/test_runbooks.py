"""Every alert has a runbook that says the same four things, and names only what there is."""

import re

import pytest

from tests.alerts.cases import ALERTS, groups
from zope_exporter.cli.main import main

PAGES = {path.stem: path.read_text() for path in (ALERTS / "runbooks").glob("*.md")}
RULES = groups(ALERTS / "rules/zope.yml") | groups(ALERTS / "rules/plone-observability.yml")
NAMES = {rule["alert"] for group in RULES.values() for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_one_and_the_reverse() -> None:
    assert PAGES.keys() == NAMES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page(name: str) -> None:
    text = PAGES[name]
    assert text.startswith(f"# {name}\n")
    parts = re.findall(r"^## (\w+)\n\n\S", text, re.MULTILINE)
    assert parts == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert set(re.findall(r"\]\((\w+)\.md\)", text)) <= NAMES
    commands = set(re.findall(r"^ *zope-exporter (\w+)|`zope-exporter (\w+)", text, re.MULTILINE))
    assert {first or second for first, second in commands} <= main.commands.keys()
    assert text.count("```") % 2 == 0


def test_the_alerts_in_the_inhibitions_are_there() -> None:
    named = set(re.findall(r"\bZope[A-Z]\w+", (ALERTS / "alertmanager.yml").read_text()))
    assert named <= NAMES
