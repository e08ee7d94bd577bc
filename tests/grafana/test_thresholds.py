"""The dashboards draw what the alerts fire at, whoever's thresholds these are."""

import json
import re
from pathlib import Path

import pytest

from tests.alerts.cases import groups
from tests.support.monitoring.dashboards import GRAFANA, THRESHOLDS, Json, made, panels, steps
from tests.support.programs.exporter import zope_exporter
from zope_exporter.alerting.dashboards.field_config import NEVER
from zope_exporter.alerting.rules import generate
from zope_exporter.alerting.thresholds import BURN_RATES, read_thresholds

# Of states, of answers' status codes, of parts of what the exporter itself allows, of the pool that
# ZODB calls exhausted twice, and the burn rates, which belong to the windows beside them.
NOT_TO_BE_CHOSEN = {0, 1, 2, 200, 400, 500, NEVER, *BURN_RATES.values()}
NUMBER = re.compile(r"\d+(\.\d+)?(e\d+)?")


def drawn(directory: Path, uid: str, panel: str) -> tuple[float, ...]:
    """The steps of a panel, or of the column of a table, in a file."""
    return dict(steps(json.loads((directory / f"{uid}.json").read_text())))[panel]


def expressions(directory: Path, alert: str) -> str:
    """All expressions of an alert in the rules of a directory."""
    return " ".join(
        rule["expr"]
        for group in groups(directory / "rules/zope.yml").values()
        for rule in group["rules"]
        if rule.get("alert") == alert
    )


def test_own_thresholds_reach_rules_and_dashboards(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("disk_almost_full: 0.07\ncertificate: 20d\n")
    run = zope_exporter("rules", "--thresholds", own, tmp_path / "out", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr

    assert "< 0.07" in expressions(tmp_path / "out", "ZopeDiskAlmostFull")
    assert "< 0.05" not in expressions(tmp_path / "out", "ZopeDiskAlmostFull")
    assert "< 1728000" in expressions(tmp_path / "out", "ZopeCertificateExpiring")
    dashboards = tmp_path / "out/dashboards"
    assert drawn(dashboards, "zodb-storage", "Least free space") == (0.03, 0.07)
    assert drawn(dashboards, "zope-fleet", "Least free space") == (0.03, 0.07)
    assert drawn(dashboards, "zope-fleet", "Sites: Free") == (0.03, 0.07)
    assert drawn(dashboards, "zope-fleet", "Sites: Certificate") == (259200, 1728000)
    assert drawn(dashboards, "zope-logs", "Certificates expire in") == (259200, 1728000)
    assert drawn(GRAFANA / "dashboards", "zope-logs", "Certificates expire in") == (259200, 864000)


def test_the_dashboards_go_where_they_are_wanted(tmp_path: Path) -> None:
    directory = tmp_path / "grafana/zope"
    flags = ("--dashboards", directory)
    run = zope_exporter("rules", *flags, tmp_path / "out", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    kept = {path.name: path.read_text() for path in (GRAFANA / "dashboards").iterdir()}
    assert {path.name: path.read_text() for path in directory.iterdir()} == kept
    assert not (tmp_path / "out/dashboards").exists()
    rules = (tmp_path / "out" / name for name in generate(THRESHOLDS.parent))
    assert set(run.stdout.splitlines()) == set(map(str, [*rules, *directory.iterdir()]))


def test_no_colour_has_a_number_of_its_own() -> None:
    """With every threshold changed, nothing but what cannot be chosen is where it was."""
    shipped = read_thresholds(THRESHOLDS)
    other = {
        name: re.sub(r"^[\d.]+", lambda number: f"{float(number[0]) * 1.25:g}", value)
        for name, value in shipped.items()
        if NUMBER.fullmatch(value) and name != "slo"
    }
    other |= {
        name: f"{int(value[:-1]) * 3}{value[-1]}"
        for name, value in shipped.items()
        if re.fullmatch(r"\d+[smhd]", value)
    }
    other["slo"] = "0.99"
    found = 0
    for before, after in zip(made(), made(**other), strict=True):
        for (title, old), (same, new) in zip(steps(before), steps(after), strict=True):
            # The objective is in a title.
            assert re.sub(r"[\d.]+ %", "", title) == re.sub(r"[\d.]+ %", "", same)
            kept = {value for value in old if value in new}
            assert kept <= NOT_TO_BE_CHOSEN, f"{before['uid']}: {title}"
            found += len(old) - len(kept)
    assert found > 30


def test_what_is_about_to_be_full_is_drawn_as_it_is_predicted() -> None:
    [dashboard] = [d for d in made(disk_predicted="2d") if d["uid"] == "zodb-storage"]
    assert dict(steps(dashboard))["Full in"] == (4 * 3600, 48 * 3600)


def test_a_backup_that_is_almost_late_looks_the_same_on_every_dashboard() -> None:
    fleet, backup = (
        next(d for d in made(backup_age="0.75") if d["uid"] == uid)
        for uid in ("zope-fleet", "zodb-backup")
    )
    assert dict(steps(fleet))["Backup age used"] == (0.75, 1)
    assert dict(steps(fleet))["Sites: Of its age"] == (0.75, 1)
    assert dict(steps(backup))["Used of the time allowed"] == (0.75, 1)


def test_steps_ascend_whatever_the_thresholds() -> None:
    """A warning that comes after what is critical is never seen, but is no nonsense either."""
    for dashboard in made(disk_almost_full="0.02", certificate="1d", workers_busy="1.5"):
        for title, values in steps(dashboard):
            assert list(values) == sorted(values), title


def test_burn_rates_are_those_of_the_alert() -> None:
    rules = expressions(THRESHOLDS.parent, "ZopeErrorBudgetBurn")
    for window, rate in BURN_RATES.items():
        assert f'ratio_rate{window}{{job="zope"}} > {rate:g} * (1 - 0.995)' in rules


def linked(dashboards: list[Json]) -> set[str]:
    return {link["url"] for d in dashboards for panel in panels(d) for link in panel["links"]}


@pytest.mark.parametrize(
    ("runbook_url", "address"),
    [
        ("https://wiki.example.org/zope/<alert>", "https://wiki.example.org/zope/ZopePackOverdue"),
        # What Prometheus would fill in, Grafana does not know; it knows an exporter.
        (
            'https://{{ with query "up" }}{{ . | first | label "instance" }}{{ end }}/r/<alert>',
            "https://${exporter}/runbooks/ZopePackOverdue",
        ),
    ],
)
def test_runbooks_are_linked_where_the_alerts_have_them(runbook_url: str, address: str) -> None:
    links = linked(made(runbook_url=runbook_url))
    assert address in links
    assert {url[: url.rindex("/")] for url in links} == {address[: address.rindex("/")]}
