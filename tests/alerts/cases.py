"""Short cases for alerts, and what promtool makes of them.

alerts/tests/GROUP.yml maps each alert of a group to its cases:

    ZopeSiteDown:
      - case: what is the matter
        series: {'zope_ping_up{site="a", target="home"}': 1x5 0x20}
        at: 10m               # when to look
        fires: [{severity: critical, site: a, description: ...}]  # else silent
        silent: [6m]          # further moments at which nothing may fire
        interval: 1m          # between samples, and between evaluations

All series are of one exporter unless they say otherwise; it is up unless `up` is among them.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

ALERTS = Path(__file__).parents[2] / "alerts"
EXPORTER = {"job": "zope", "instance": "zope1:9673"}
TEXTS = ("description", "runbook_url", "status_url", "subject")


@dataclass(frozen=True)
class Case:
    """One situation and what an alert has to say in it."""

    alert: str
    case: str
    series: dict[str, str]
    at: str
    fires: tuple[dict[str, str], ...] = ()
    silent: tuple[str, ...] = ()
    interval: str = "1m"


def cases(path: Path) -> list[Case]:
    """Return the cases of a file; a key that means nothing is an error."""
    # All as text: 0x20 is twenty-one times nothing, not thirty-two.
    return [
        Case(**{"alert": alert, **{key: _frozen(value) for key, value in case.items()}})
        for alert, listed in yaml.load(path.read_text(), yaml.BaseLoader).items()
        for case in listed
    ]


def groups(rules: Path) -> dict[str, dict[str, Any]]:
    """Return the groups of a rule file by name."""
    loaded = yaml.safe_load(rules.read_text())["groups"]
    return {group["name"]: group for group in loaded}


def promtool_says(
    promtool: Path, group: dict[str, Any], listed: list[Case], directory: Path
) -> str:
    """Return what is wrong, as promtool sees it, with the cases of a group; nothing is empty."""
    files = []
    for number, case in enumerate(listed):
        rules = directory / f"rules-{case.alert}.yml"
        rules.write_text(yaml.safe_dump({"groups": [only_what_it_needs(case.alert, group)]}))
        file = directory / f"{number:03}-{case.alert}.yml"
        file.write_text(yaml.safe_dump(_promtool_test(case, group), sort_keys=False))
        files.append(file)
    run = subprocess.run(
        [promtool, "test", "rules", *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = re.sub(r"Unit Testing:.*\n  SUCCESS\n\n", "", run.stdout + run.stderr)
    return "" if run.returncode == 0 else said or f"exit code {run.returncode}"


def only_what_it_needs(alert: str, group: dict[str, Any]) -> dict[str, Any]:
    """The group without other alerts, and without recordings that do not lead to this one."""
    needed: list[dict[str, Any]] = []
    for rule in reversed(group["rules"]):
        asked = any(rule.get("record", "\0") in other["expr"] for other in needed)
        if asked or rule.get("alert") == alert:
            needed.insert(0, rule)
    return {**group, "rules": needed}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _promtool_test(case: Case, group: dict[str, Any]) -> dict[str, Any]:
    looks: list[dict[str, Any]] = [
        {"eval_time": time, "alertname": case.alert, "exp_alerts": []} for time in case.silent
    ]
    expected = [_alert(fired, case, group) for fired in case.fires]
    looks.append({"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected})
    return {
        "rule_files": [f"rules-{case.alert}.yml"],
        "evaluation_interval": case.interval,
        "tests": [
            {
                "name": case.case,
                "interval": case.interval,
                "input_series": [{"series": s, "values": v} for s, v in _series(case)],
                "alert_rule_test": looks,
            }
        ],
    }


def _series(case: Case) -> Iterator[tuple[str, str]]:
    if not any(re.match(r"up\b", name) for name in case.series):
        yield of_exporter("up"), "1x20000"
    for name, values in case.series.items():
        yield of_exporter(name), values


def of_exporter(series: str) -> str:
    """The series with the labels that Prometheus gives to those of an exporter."""
    name, _, labels = series.rstrip("}").partition("{")
    given = [f'{k}="{v}"' for k, v in EXPORTER.items() if f"{k}=" not in labels]
    return f"{name}{{{', '.join([*given, labels] if labels else given)}}}"


def _is_of_no_exporter(rule: dict[str, Any]) -> bool:
    """Whether the alert is about no exporter, so that it has no label of one."""
    return "vector(" in rule["expr"]


def _alert(fired: dict[str, str], case: Case, group: dict[str, Any]) -> dict[str, Any]:
    labels = {k: v for k, v in fired.items() if k not in TEXTS}
    rule = next(
        r
        for r in group["rules"]
        if r.get("alert") == case.alert
        and all(labels.get(k, v) == v for k, v in r["labels"].items())
    )
    given = {
        "summary": rule["annotations"]["summary"],
        "runbook_url": f"http://zope1:9673/runbooks/{case.alert}{_asked(labels)}",
        "status_url": _status_url(labels),
        "subject": _subject(rule, labels),
        **{key: fired[key] for key in TEXTS if key in fired},
    }
    return {
        "exp_labels": labels if _is_of_no_exporter(rule) else {"job": "zope", **labels},
        "exp_annotations": {key: text for key, text in given.items() if text is not None},
    }


def _asked(labels: dict[str, str]) -> str:
    """What the link to a runbook asks for, where it leads to the exporter of the alert."""
    asked: dict[str, str] = {name: labels[name] for name in ("site", "zope") if name in labels}
    of_it = "site" in asked and labels.get("instance") == "zope1:9673"
    return f"?{urlencode(asked)}" if of_it else ""


def _status_url(labels: dict[str, str]) -> str:
    site = f"#site-{labels['site']}" if "site" in labels else ""
    return f"http://{labels['instance']}/{site}" if "instance" in labels else ""


def _subject(rule: dict[str, Any], labels: dict[str, str]) -> str | None:
    """What it says where nothing has to be asked for; a case tells of any other."""
    template = rule["annotations"].get("subject")
    if template is None:
        return None
    plain = re.sub(r"{{ range .*{{ end }}", "", template)
    if "mountpoint" in labels:
        plain = re.sub(r"{{ with .*{{ end }}", f"disk {labels['mountpoint']}", plain)
    else:
        plain = re.sub(r"{{ with .*{{ else }}(.*){{ end }}", r"\1", plain)
    return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], plain)
