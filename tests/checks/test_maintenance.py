"""What is said of backups: the words are for whoever is responsible for them."""

import pytest

from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.maintenance import judge_actions, judge_backups, judge_packs
from zope_exporter.collectors import actions, backup, datafs, filestorage
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Scrape

NOW = 1_800_000_000.0
HOUR = 3600.0
MAIN = ("intranet", "main")
FAILED = "the last job did not succeed, 2 h ago (zope-exporter jobs has the reason)"
WELL: dict[tuple[Metric, tuple[str, ...]], float | None] = {
    (backup.MAX_AGE, MAIN): 26 * HOUR,
    (backup.AVAILABLE, MAIN): 1e9,
    (backup.LAST_SUCCESS, MAIN): NOW - 3 * HOUR,
    (backup.LAST_VERIFIED, MAIN): NOW - 3 * HOUR,
    (backup.COVERED, MAIN): NOW - 4 * HOUR,
    (backup.SIZE, (*MAIN, "full")): 2e9,
    (backup.SIZE, (*MAIN, "incremental")): 1e9,
    (filestorage.LAST_TRANSACTION, MAIN): NOW - 60,
}


def said(changes: dict[tuple[Metric, tuple[str, ...]], float | None]) -> list[str]:
    values = {**WELL, **changes}
    samples = [Sample(*key, value) for key, value in values.items() if value is not None]
    found = list(judge_backups(*MAIN, Scrape(samples, []).values, NOW, read_limits()))
    assert {each.subject for each in found} <= {"backup main"}
    return [f"{each.severity.name} {each.text}" for each in found]


def test_a_recent_proven_backup_is_well() -> None:
    assert said({}) == ["OK last backup 3 h ago, 3 GB in all"]


def test_commits_that_are_in_no_backup_for_too_long_are_critical() -> None:
    assert said({(backup.LAST_SUCCESS, MAIN): NOW - 72 * HOUR, (backup.COVERED, MAIN): 1.0}) == [
        "OK last backup 3 d ago, 3 GB in all",
        "CRITICAL commits of the last 3 d are in no backup; 1 d are allowed",
    ]


def test_a_site_where_nothing_happens_needs_no_new_backup() -> None:
    old = NOW - 400 * 24 * HOUR
    quiet: dict[tuple[Metric, tuple[str, ...]], float | None] = {
        (backup.LAST_SUCCESS, MAIN): old,
        (backup.COVERED, MAIN): old,
        (filestorage.LAST_TRANSACTION, MAIN): old,
    }
    assert said(quiet) == ["OK last backup 400 d ago, 3 GB in all"]


def test_clocks_that_differ_by_a_little_are_no_backup_from_the_future() -> None:
    assert said({(backup.LAST_SUCCESS, MAIN): NOW + 30})[1:] == []


def test_a_backup_from_the_future_is_no_fresh_backup() -> None:
    assert said({(backup.LAST_SUCCESS, MAIN): NOW + 48 * HOUR})[1] == (
        "WARNING the last backup is dated 2 d in the future (set the clock right)"
    )


def test_no_backup_and_no_proof_are_said_with_the_command() -> None:
    assert said({(backup.LAST_SUCCESS, MAIN): None}) == [
        "CRITICAL there is no complete backup (zope-exporter backup intranet --database main)"
    ]
    assert said({(backup.LAST_VERIFIED, MAIN): None})[1] == (
        "WARNING no backup was ever proven as `backup: verify:` asks"
        " (zope-exporter verify intranet --database main)"
    )


def test_a_proof_that_is_old_is_said_with_the_command() -> None:
    assert said({(backup.LAST_VERIFIED, MAIN): NOW - 9 * 24 * HOUR})[1:] == [
        "WARNING no backup was proven as `backup: verify:` asks for 9 d"
        " (zope-exporter verify intranet --database main)"
    ]


def test_a_repository_without_room_for_a_full_backup() -> None:
    assert said({(filestorage.SIZE, MAIN): 2e9})[1:] == [
        "WARNING another full one may not find room: 1 GB free, Data.fs 2 GB"
        " (keep fewer, or enlarge the disk of the repository)"
    ]


def test_of_backups_by_others_the_age_is_judged() -> None:
    unknown = (backup.AVAILABLE, backup.LAST_VERIFIED, backup.COVERED)
    others: dict[tuple[Metric, tuple[str, ...]], float | None] = {
        **{(metric, MAIN): None for metric in unknown},
        (backup.EXTERNAL, MAIN): 1,
    }
    assert said(others) == ["OK last one 3 h ago, made by others and not proven here"]
    assert said({**others, (backup.LAST_SUCCESS, MAIN): NOW - 48 * HOUR})[1:] == [
        "CRITICAL commits of the last 2 d are in no backup; 1 d are allowed"
    ]
    assert said({**others, (backup.LAST_SUCCESS, MAIN): None}) == [
        "CRITICAL others make the backups, and no success is known"
        " (see to the program that makes them)"
    ]


def test_a_database_that_was_left_out() -> None:
    others = dict.fromkeys(WELL) | {(backup.MAX_AGE, ("intranet", "other")): 26 * HOUR}
    assert said(others) == [
        "WARNING none is configured, while others of this site have one"
        " (name it under databases: of the site's backup:)"
    ]


def test_faults_of_the_database_are_said_with_where_to_look() -> None:
    assert said({(backup.DATABASE_FAULTS, MAIN): 0.0}) == said({})
    assert said({(backup.DATABASE_FAULTS, MAIN): 3.0})[1] == (
        "WARNING in the database 3 references lead nowhere or blobs are missing, in its backups as"
        " well (the runbook ZopeDatabaseReferencesBroken explains how to repair them)"
    )


@pytest.mark.parametrize("metric", [backup.MAX_AGE, backup.AVAILABLE])
def test_where_none_is_configured_or_the_repository_unreadable_nothing_is_made_up(
    metric: Metric,
) -> None:
    assert said({(metric, MAIN): None}) == []


@pytest.mark.parametrize(
    ("success", "words"),
    [
        (None, [FAILED]),
        (NOW - 3 * HOUR, [FAILED]),
        (NOW - HOUR, []),
    ],
)
def test_an_action_that_failed_last_is_said(success: float | None, words: list[str]) -> None:
    task = (*MAIN, "pack")
    samples = [Sample(actions.LAST_FAILURE, task, NOW - 2 * HOUR)]
    if success is not None:
        samples.append(Sample(actions.LAST_SUCCESS, task, success))
    found = list(judge_actions("intranet", Scrape(samples, []).values, NOW))
    assert [each.text for each in found] == words
    assert {each.subject for each in found} <= {"pack main"}


@pytest.mark.parametrize(
    ("superseded", "unreachable", "packed", "words"),
    [
        (
            2e9,
            1e9,
            NOW - 30 * 24 * HOUR,
            "WARNING the last was 30 d ago; a pack would free 3 GB of 5 GB"
            " (zope-exporter pack intranet --database main)",
        ),
        (
            3e9,
            None,
            None,
            "WARNING it was never packed; a pack would free 3 GB of 5 GB"
            " (zope-exporter pack intranet --database main)",
        ),
        (3e9, None, NOW - 24 * HOUR, "OK a pack would free 3 GB of 5 GB; the last was 1 d ago"),
        (2e9, 0.4e9, NOW - 24 * HOUR, ""),
        (0.2e9, None, NOW - 30 * 24 * HOUR, ""),
        (None, None, None, ""),
    ],
)
def test_a_pack_that_is_overdue_or_would_free_much_is_said(
    superseded: float | None, unreachable: float | None, packed: float | None, words: str
) -> None:
    values = {
        (filestorage.SIZE, MAIN): 5e9,
        (datafs.GARBAGE, (*MAIN, "superseded")): superseded,
        (datafs.GARBAGE, (*MAIN, "unreachable")): unreachable,
        (datafs.LAST_PACK, MAIN): packed,
    }
    samples = [Sample(*key, value) for key, value in values.items() if value is not None]
    found = list(judge_packs(*MAIN, Scrape(samples, []).values, NOW, read_limits()))
    assert [f"{each.severity.name} {each.text}" for each in found] == [words] * bool(words)
