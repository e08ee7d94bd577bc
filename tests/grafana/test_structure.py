"""What Grafana's own linter asks of dashboards, and what people complain of in others."""

import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.monitoring.dashboards import GRAFANA, Json, load, made, panels
from zope_exporter.alerting.dashboards.build import for_grafana_com

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREY = "#8e8e8e"
RULES = GRAFANA.parent / "alerts/rules"
RULE_FILE = (RULES / "zope.yml").read_text()
TITLES = {
    "ZEO",
    "ZODB / Backup",
    "ZODB / Cache and connections",
    "ZODB / Storage",
    "Zope / Capacity",
    "Zope / Exporter",
    "Zope / Fleet",
    "Zope / Instance",
    "Zope / Logs and probes",
    "Zope / Overview",
    "Zope / Plone and add-ons",
    "Zope / SLO",
}


def everything(value: object) -> Iterator[dict[str, Any]]:
    """Every object of a JSON document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from everything(item)


def test_all_are_there_once() -> None:
    dashboards = load()
    assert sorted(TITLES) == sorted(dashboard["title"] for dashboard in dashboards)
    assert len({dashboard["uid"] for dashboard in dashboards}) == len(dashboards)


def test_frame(dashboard: Json) -> None:
    assert 39 <= dashboard["schemaVersion"] <= 42
    assert dashboard["id"] is None
    assert re.fullmatch(r"[a-z-]{1,40}", dashboard["uid"])
    assert dashboard["editable"] is False
    assert dashboard["description"].endswith(".")
    assert "__inputs" not in dashboard
    assert dashboard["tags"] == ["zope"]
    [link] = dashboard["links"]
    assert (link["type"], link["tags"], link["includeVars"]) == ("dashboards", ["zope"], True)


def test_places(dashboard: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        columns = range(place["x"], place["x"] + place["w"])
        cells = set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))
        assert not taken & cells, f"{panel['title']} lies over another panel"
        taken |= cells
    lines = {y for _, y in taken}
    assert lines == set(range(len(lines))), "no gap between two lines of panels"


def test_numbers_and_letters_are_unique(dashboard: Json) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(set(titles)) == len(titles)
    assert len(titles) <= 20
    for panel in panels(dashboard):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(set(letters)) == len(letters)


def test_every_panel_says_what_it_shows(dashboard: Json) -> None:
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        assert re.fullmatch(r"[A-Z0-9].*[.]", panel["description"]), panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None
        values = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
        assert values == sorted(values), panel["title"]


def test_what_is_not_known_is_grey(dashboard: Json) -> None:
    for panel in panels(dashboard):
        places = [panel["fieldConfig"]["defaults"]["mappings"]]
        for override in panel["fieldConfig"]["overrides"]:
            places += [p["value"] for p in override["properties"] if p["id"] == "mappings"]
        for mappings in places:
            [missing] = [m["options"] for m in mappings if m["type"] == "special"]
            assert missing["match"] == "null+nan"
            assert missing["result"]["color"] == GREY
        assert re.match("no data$|needs |none", panel["fieldConfig"]["defaults"]["noValue"])
        assert panel["fieldConfig"]["defaults"]["custom"].get("spanNulls", False) is False


def test_every_query_goes_to_the_chosen_data_source(dashboard: Json) -> None:
    variable, *_ = dashboard["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    for item in everything(dashboard):
        assert item.get("datasource", DATASOURCE) == DATASOURCE
    for panel in panels(dashboard):
        assert panel["datasource"] == DATASOURCE
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


def test_variables(dashboard: Json) -> None:
    queried = [v for v in dashboard["templating"]["list"] if v["type"] == "query"]
    names = ["cluster", "job", "instance", "site", "zope", "database", "exporter"]
    assert [variable["name"] for variable in queried] == names
    for variable in queried[:3]:
        assert (variable["hide"], variable["multi"], variable["allValue"]) == (0, True, ".*")
    for variable in queried[:6]:
        assert variable["refresh"] == 2, "asked again when the time range changes"
        if variable["includeAll"]:
            assert variable["allValue"] == ".*"
            assert variable["current"]["value"] == ["$__all"]


def test_every_runbook_that_is_linked_is_there(dashboard: Json) -> None:
    linked = {link["url"] for panel in panels(dashboard) for link in panel["links"]}
    for url in linked:
        assert url.startswith("http://${exporter}/runbooks/")
        assert f"alert: {Path(url).name}\n" in RULE_FILE


def test_annotations(dashboard: Json) -> None:
    names = [annotation["name"] for annotation in dashboard["annotations"]["list"]]
    assert names == ["Restarts", "Packs", "Backups", "Deployments"]
    for annotation in dashboard["annotations"]["list"]:
        assert "changes(" not in annotation["expr"], "misses what comes after a gap"
        exact = annotation.get("useValueForTime", False)
        assert exact == (annotation["name"] != "Deployments"), "of those nobody knows the second"
        assert exact == annotation["expr"].endswith(" * 1000")


def test_units_of_tables_are_those_of_their_columns(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "table" and len(panel["targets"]) > 1:
            organize = panel["transformations"][-1]["options"]["renameByName"]
            named = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
            values = {name for key, name in organize.items() if key.startswith("Value")}
            assert values <= named


VARIANTS = [for_grafana_com(dashboard) for dashboard in made()]


@pytest.mark.parametrize("dashboard", VARIANTS, ids=lambda d: d["uid"])
def test_the_variant_for_grafana_com(dashboard: Json) -> None:
    [asked] = dashboard["__inputs"]
    assert (asked["name"], asked["pluginId"]) == ("DS_PROMETHEUS", "prometheus")
    needed = {item["id"] for item in dashboard["__requires"]}
    assert needed == {"grafana", "prometheus"} | {panel["type"] for panel in panels(dashboard)}
    text = json.dumps(dashboard)
    assert "${DS_PROMETHEUS}" in text
    assert "datasource}" not in text
    assert "datasource:" not in text


def test_every_line_of_panels_is_filled(dashboard: Json) -> None:
    widths = Counter[int]()
    for panel in dashboard["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


def test_an_axis_of_nothing_but_zeros_ends_at_something_sensible(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "timeseries":
            custom = panel["fieldConfig"]["defaults"]["custom"]
            assert custom["axisSoftMin"] == 0
            assert 0 < custom["axisSoftMax"] <= (15 if "Burn" in panel["title"] else 1024)


def test_single_events_can_be_seen(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] != "timeseries":
            continue
        custom = panel["fieldConfig"]["defaults"]["custom"]
        assert custom["showPoints"] == "auto", "or a value without neighbours is invisible"
        if all(re.search(r"increase\(.* > 0$", t["expr"]) for t in panel["targets"]):
            assert custom["drawStyle"] == "bars", panel["title"]


def test_states_are_no_lines(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "timeseries":
            kinds = {mapping["type"] for mapping in panel["fieldConfig"]["defaults"]["mappings"]}
            assert kinds == {"special"}, f"{panel['title']}: names of values on an axis"


def test_sites_can_be_told_apart(dashboard: Json) -> None:
    """Every site has a database main: where several can be shown, a line must say whose it is."""
    [site] = [v for v in dashboard["templating"]["list"] if v["name"] == "site"]
    for panel in panels(dashboard):
        for target in panel["targets"] if site["multi"] else ():
            if panel["type"] == "stat":
                assert re.match(r"(1 - )?(count|max|min|sum)\(", target["expr"]), panel["title"]
            elif re.search(r"\{\{(zope|database|log|target|server)\}\}", target["legendFormat"]):
                assert "{{site}}" in target["legendFormat"], panel["title"]


def test_what_is_wrong_is_not_green(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] != "timeseries":
            continue
        colored = [o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]]
        for target in panel["targets"]:
            for label, wrong in (("code", "503"), ("severity", "CRITICAL")):
                if target["legendFormat"].endswith(f"{{{{{label}}}}}"):
                    assert any(re.search(rule.strip("/"), f"demo {wrong}") for rule in colored)


def test_no_column_is_out_of_sight(dashboard: Json) -> None:
    for panel in panels(dashboard):
        if panel["type"] == "table":
            columns = len(panel["targets"]) + 2
            width = panel["fieldConfig"]["defaults"]["custom"]["minWidth"]
            assert columns * width <= 1600
            headings = list(panel["transformations"][-1]["options"]["renameByName"].values())
            assert len({heading.lower() for heading in headings}) == len(headings)


def test_numbers_are_of_now(dashboard: Json) -> None:
    """Of a dead exporter, the last value of a query over time would go on being green."""
    for panel in panels(dashboard):
        if panel["type"] == "stat":
            [target] = panel["targets"]
            assert (target["instant"], target["range"]) == (True, False), panel["title"]
            assert "vector(0)" not in target["expr"] or "ALERTS" in target["expr"], panel["title"]


def test_a_panel_can_be_narrowed_to_one_environment_and_one_exporter(dashboard: Json) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            for selector in re.findall(r"\b(?:zope_\w+|up|ALERTS)\{[^}]*\}", target["expr"]):
                assert 'cluster=~"$cluster"' in selector, panel["title"]
                assert 'instance=~"$instance' in selector, panel["title"]


def test_strangers_of_one_name_on_two_hosts_are_never_mixed(dashboard: Json) -> None:
    """Whatever groups or joins by the site does so by its exporter too."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", target["expr"]):
                named = set(labels.split(", "))
                told_apart = {"cluster", "instance"} <= named
                # A histogram over time has no lines to tell apart, and jobs are no sites.
                allowed = named in ({"le"}, {"cluster", "job"})
                assert told_apart or allowed, f"{panel['title']}: {labels}"
            if "{{site}}" in target["legendFormat"]:
                assert "{{instance}}" in target["legendFormat"], panel["title"]


def test_a_legend_of_states_has_words(dashboard: Json) -> None:
    """With a threshold Grafana writes "< 1" and "1+" there."""
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        kinds = {mapping["type"] for mapping in defaults["mappings"]}
        if panel["type"] == "state-timeline" and "value" in kinds:
            assert len(defaults["thresholds"]["steps"]) == 1, panel["title"]


def test_titles_fit(dashboard: Json) -> None:
    """Of a page 1,600 pixels wide a 24th is 66, and a letter is about 8."""
    for panel in panels(dashboard):
        assert len(panel["title"]) <= panel["gridPos"]["w"] * 66 / 8 - 4, panel["title"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the library requires Python 3.11")
def test_grafanas_own_library_reads_it(dashboard: Json) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard as Decoded

    read = Decoded.from_json(dashboard)
    written = json.loads(JSONEncoder(sort_keys=True).encode(read))
    ours = panels(dashboard)
    for panel, again in zip(ours, panels(written), strict=True):
        for key in ("title", "type", "gridPos", "description"):
            assert again[key] == panel[key]
        assert [t["expr"] for t in again["targets"]] == [t["expr"] for t in panel["targets"]]
        assert again["fieldConfig"]["defaults"]["unit"] == panel["fieldConfig"]["defaults"]["unit"]
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert [variable["name"] for variable in written["templating"]["list"]] == names
