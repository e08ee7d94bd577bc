"""The mails as Alertmanager writes them, and how many there are of one fault."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.cases import ALERTS
from tests.support.monitoring.alertmanager import amtool, fire, running_alertmanager
from tests.support.monitoring.smtp import receiving_mail
from tests.support.programs.processes import eventually
from tests.support.programs.suites import ALERTMANAGERS

LABELS = {
    "alertname": "ZopeSiteDown",
    "instance": "zope1:9673",
    "severity": "critical",
    "site": "intranet",
}
ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": LABELS,
    "annotations": {
        "summary": "The site does not answer correctly.",
        "description": "Every target of site intranet fails its probe.",
        "runbook_url": "http://zope1:9673/runbooks/ZopeSiteDown",
        "status_url": "https://zope1:9673/#site-intranet",
        "subject": "intranet is down: connection refused",
    },
    "startsAt": "2026-11-25T19:00:00Z",
    "endsAt": "2026-11-25T19:30:00Z",
    "generatorURL": "http://127.0.0.1:9090/graph",
}
FIRING = {
    "status": "firing",
    "groupLabels": {"alertname": "ZopeSiteDown", "instance": "zope1:9673"},
    "commonLabels": {"severity": "critical", "instance": "zope1:9673"},
    "commonAnnotations": ALERT["annotations"],
    "externalURL": "http://127.0.0.1:9093",
    "alerts": [ALERT],
}


def mail(tmp_path: Path, **changes: object) -> str:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({**FIRING, **changes}))
    text = '{{ template "zope.subject" . }}\n\n{{ template "zope.text" . }}'
    templates = f"--template.glob={ALERTS}/templates/*.tmpl"
    files = (templates, f"--template.data={data}")
    return amtool("template", "render", *files, f"--template.text={text}")


def test_the_mail_says_what_is_the_matter_and_where_to_read_on(tmp_path: Path) -> None:
    assert mail(tmp_path) == (
        "[CRITICAL] intranet is down: connection refused on zope1:9673\n\n"
        "ZopeSiteDown, critical, since 2026-11-25 19:00:00 UTC\n"
        "The site does not answer correctly.\n"
        "Every target of site intranet fails its probe.\n"
        "  instance: zope1:9673\n"
        "  site: intranet\n\n"
        "What it means and what to do: http://zope1:9673/runbooks/ZopeSiteDown\n"
        "Status page: https://zope1:9673/#site-intranet\n"
        "The numbers: http://127.0.0.1:9090/graph\n\n"
        "Silence it or see all alerts: http://127.0.0.1:9093\n"
    )


def test_it_links_to_the_dashboard_where_grafana_is_known(tmp_path: Path) -> None:
    dashboard = "https://grafana/d/zope-overview?var-instance=zope1%3A9673&var-site=intranet"
    alert = {**ALERT, "annotations": {**ALERT["annotations"], "dashboard_url": dashboard}}
    said = mail(tmp_path, alerts=[alert])
    assert f"#site-intranet\nDashboard: {dashboard}\nThe numbers: " in said


def of_sites(*sites: str) -> dict[str, Any]:
    """What all alerts have in common is their summary then."""
    alerts = [{**ALERT, "labels": {**ALERT["labels"], "site": site}} for site in sites]
    return {"alerts": alerts, "commonAnnotations": {"summary": ALERT["annotations"]["summary"]}}


@pytest.mark.parametrize(
    ("sites", "subject"),
    [
        (["archive"], "The site does not answer correctly: archive"),
        (["archive", "intranet"], "The site does not answer correctly: archive, intranet (2)"),
        (["a", "a", "b"], "The site does not answer correctly: a, b (3)"),
        ([*"abcdefghij"], "The site does not answer correctly: a, b, c, d, e, f, g, h, … (10)"),
    ],
)
def test_a_mail_of_a_host_names_its_sites(sites: list[str], subject: str, tmp_path: Path) -> None:
    said, *_ = mail(tmp_path, **of_sites(*sites)).splitlines()
    assert said == f"[CRITICAL] {subject} on zope1:9673"


def test_the_subject_tells_of_what_is_still_wrong(tmp_path: Path) -> None:
    changes = of_sites("over", "intranet")
    over, intranet = changes["alerts"]
    changes["alerts"] = [{**over, "status": "resolved"}, intranet]
    said = mail(tmp_path, **changes)
    assert said.startswith(
        "[CRITICAL] The site does not answer correctly: intranet on zope1:9673\n"
    )
    assert said.index("site: intranet\n") < said.index("Over since") < said.index("site: over\n")


def test_an_alert_of_no_site(tmp_path: Path) -> None:
    common = {"severity": "warning", "instance": "zope1:9673"}
    annotations = {**ALERT["annotations"], "summary": "A disk is almost full.", "status_url": ""}
    alert = {**ALERT, "labels": {"alertname": "ZopeDiskAlmostFull"}, "annotations": annotations}
    said = mail(
        tmp_path,
        commonLabels=common,
        commonAnnotations={"summary": "A disk is almost full."},
        alerts=[alert],
    )
    assert said.startswith("[WARNING] A disk is almost full on zope1:9673\n")
    assert "Status page" not in said


def test_a_runbook_that_no_exporter_shows_is_no_link(tmp_path: Path) -> None:
    where = "alerts/runbooks/ZopeSiteDown.md"
    alert = {**ALERT, "annotations": {**ALERT["annotations"], "runbook_url": where}}
    said = mail(tmp_path, alerts=[alert])
    assert f"What it means and what to do is in {where}; no exporter answers that" in said


def test_the_mail_says_what_is_over(tmp_path: Path) -> None:
    said = mail(tmp_path, status="resolved", alerts=[{**ALERT, "status": "resolved"}])
    assert said.startswith("[RESOLVED] intranet is down: connection refused on zope1:9673\n")
    assert "Over since 2026-11-25 19:30:00 UTC:\nZopeSiteDown, critical" in said


SITES = [f"site{number}" for number in range(10)]
WEB1, WEB2 = "instance=web1:9673", "instance=web2:9673"
LAST = f"alertname=ZopeWatchdogSilent severity=critical {WEB1}"
FAULTS = {
    "a host with ten sites": (
        [f"alertname=ZopeSiteDown severity=critical site={site} {WEB1}" for site in SITES],
        ["What is the matter: site0, site1, site2, site3, site4, site5, site6, site7, … (10)"],
    ),
    "a disk that ten sites share": (
        [
            f"alertname=ZopeDiskAlmostFull severity=critical mountpoint=/srv {WEB1}",
            *(
                f"alertname=ZopeNoRoomForPack severity=critical site={site} database=main {WEB1}"
                for site in SITES
            ),
        ],
        ["What is the matter"],
    ),
    "two clients that are probed themselves": (
        [
            f"alertname={alert} severity=critical site=a {label}={name} {WEB1}"
            for alert, label in (("ZopeProcessDown", "zope"), ("ZopeTargetDown", "target"))
            for name in ("one", "two")
        ],
        ["What is the matter: a (2)"],
    ),
    "a site that two hosts share": (
        [
            f"alertname=ZopeSiteDown severity=critical site=a by=declared {instance}"
            for instance in (WEB1, WEB2)
        ],
        ["What is the matter: a (2)"],
    ),
    "strangers of one name on two hosts": (
        [
            f"alertname=ZopeSiteDown severity=critical site=a {instance}"
            for instance in (WEB1, WEB2)
        ],
        ["What is the matter: a", "What is the matter: a"],
    ),
}


@pytest.mark.parametrize("version", ALERTMANAGERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_one_mail(fault: str, version: str, tmp_path: Path) -> None:
    alerts, subjects = FAULTS[fault]
    assert sorted(_mailed(alerts, len(subjects), version, tmp_path)) == sorted(subjects)


def _mailed(alerts: Sequence[str], expected: int, version: str, directory: Path) -> list[str]:
    """What the mails of alerts say that all come at once, up to the mail of one after them."""
    with (
        receiving_mail() as mailbox,
        running_alertmanager(version, directory, mailbox.port, "2s") as client,
    ):
        fire(client, alerts)
        eventually(lambda: len(mailbox.mails) >= expected)
        fire(client, [LAST])
        eventually(lambda: any(mail["X-Alert"] == "ZopeWatchdogSilent" for mail in mailbox.mails))
        told = [mail for mail in mailbox.mails if mail["X-Alert"] != "ZopeWatchdogSilent"]
    subjects = [mail["Subject"].removeprefix("[CRITICAL] ") for mail in told]
    return [subject.partition(" on ")[0] for subject in subjects]
