"""Faults that administrators have had, and what comes of each: which case of alerts/tests holds it.

A fault is a page (critical), a mail (warning), or, where it is none, silence.
"""

import pytest

from tests.alerts.cases import ALERTS, Case, cases

PAGE, MAIL, SILENCE = "critical", "warning", ""

# What happens, what comes of it, the alert, and the beginning of its case.
SCENARIOS = {
    "the site does not answer": (PAGE, "ZopeSiteDown", "every target of a site fails"),
    "one of its addresses does not": (MAIL, "ZopeTargetDown", "one of two targets fails"),
    "it answers with something else": (PAGE, "ZopePingWrongContent", "the body is another one"),
    "every second probe fails": (PAGE, "ZopePingUnsteady", "every other probe fails"),
    "half of its pages take 20 s": (MAIL, "ZopeRequestsSlow", "half of the requests take twelve"),
    "its root page is slow": (MAIL, "ZopePingSlow", "all answers are slow"),
    "nine of ten pages fail, no agent": (PAGE, "ZopeRequestsFailing", "nine of ten pages fail"),
    "a fifth of all pages fails": (PAGE, "ZopeErrorBudgetBurn", "a fifth of all requests fails"),
    "all fail, at 0.01 requests a second": (PAGE, "ZopeErrorBudgetBurn", "every answer of a site"),
    "one of four clients fails": (PAGE, "ZopeInstanceFailing", "one of four answers nothing but"),
    "no visitors on a busy site": (MAIL, "ZopeTrafficVanished", "a busy site gets nothing but"),
    "no visitors on a quiet site": (MAIL, "ZopeTrafficVanished", "a quiet site of which probes"),
    "a client is gone": (MAIL, "ZopeProcessDown", "the process is gone"),
    "a client dies every 20 minutes": (MAIL, "ZopeFlapping", "every twenty minutes, for hours"),
    "a client dies every 5 minutes": (PAGE, "ZopeFlapping", "three restarts within half an hour"),
    "memory climbs to its limit": (MAIL, "ZopeMemoryClimbing", "from half to all of it in forty"),
    "killed for it, again and again": (MAIL, "ZopeMemoryClimbing", "killed when all of it is used"),
    "all threads hang": (PAGE, "ZopeWorkersSaturated", "all threads hang"),
    "connections are never closed": (PAGE, "ZopePoolExhausted", "fifteen of seven"),
    "the ZEO server is gone": (PAGE, "ZopeZeoServerDown", "the server does not answer"),
    "nobody else can commit": (PAGE, "ZopeZeoCommitLockHeld", "while commits wait for it"),
    "the disk of the Data.fs is full": (PAGE, "ZopeDiskAlmostFull", "one hundredth is left"),
    "the disk of the logs is full": (PAGE, "ZopeDiskAlmostFull", "the disk of the logs"),
    "no inodes are left": (PAGE, "ZopeDiskInodesLow", "none are left"),
    "the blobs are not mounted": (PAGE, "ZopeBlobDirectoryMissing", "its file system is not mount"),
    "the backup is too old": (PAGE, "ZopeBackupOverdue", "older than it may be, and there were"),
    "nobody knows of a backup": (MAIL, "ZopeBackupUnknown", "none is configured at all"),
    "the exporter is gone": (PAGE, "ZopeExporterDown", "the exporter cannot be scraped"),
    "it dies every minute": (MAIL, "ZopeExporterFlapping", "it is restarted every five minutes"),
    "its clock is 5 minutes late": (MAIL, "ZopeClockSkew", "it is five minutes late"),
    "a conflict fails one request": (SILENCE, "ZopeConflictsUnresolved", "a single one failed"),
    "a nightly pack takes 2 hours": (SILENCE, "ZopeDiskFullPredicted", "a pack of two hours on a"),
    "it is back, its caches cold": (SILENCE, "ZopeWorkersSaturated", "it comes back after a long"),
    "a restart of a minute": (SILENCE, "ZopeSiteDown", "a restart of a minute"),
}


@pytest.fixture(scope="module")
def all_cases() -> list[Case]:
    return [case for file in sorted((ALERTS / "tests").glob("*.yml")) for case in cases(file)]


def test_there_are_as_many_as_were_tried() -> None:
    assert len(SCENARIOS) == 34


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_has_its_case(scenario: str, all_cases: list[Case]) -> None:
    outcome, alert, begins = SCENARIOS[scenario]
    [found] = [each for each in all_cases if each.alert == alert and each.case.startswith(begins)]
    # The worse one of two silences the other.
    assert min((fired["severity"] for fired in found.fires), default=SILENCE) == outcome
