"""What is kept by count, age, and calendar, beside a naive account of the same rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.databases.many_backups import make_repository
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.manifest import Piece
from zope_exporter.maintenance.backup.prune import outdated, remove_generations
from zope_exporter.maintenance.backup.repository import Backup, Repository, read_repository
from zope_exporter.maintenance.backup.retention import Retention
from zope_exporter.maintenance.backup.stamps import stamp_of, time_of

BEGIN = datetime(2025, 12, 20, tzinfo=timezone.utc)  # the days around a new year, and 2026-W01

steps = st.lists(
    # Hours after the one before, whether it is a full one, and whether it is complete.
    st.tuples(st.sampled_from([1, 7, 24, 100, 700]), st.booleans(), st.integers(0, 5)),
    min_size=1,
    max_size=25,
)
rules = st.builds(
    Retention,
    seconds=st.sampled_from([0.0, 3600.0, 86400.0, 30 * 86400.0]),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 4),
    monthly=st.integers(0, 4),
)


def made(steps: Sequence[tuple[int, bool, int]]) -> Repository:
    """Backups as the steps say; the first is a full one, and one in six is not complete."""
    backups: list[Backup] = []
    pieces: tuple[Piece, ...] = ()
    moment = BEGIN
    for hours, wanted_full, luck in steps:
        moment += timedelta(hours=hours)
        stamp = stamp_of(moment)
        full = wanted_full or not pieces
        own = Piece(f"{stamp}.{'' if full else 'delta'}fs", 0, 0, "")
        pieces = (own,) if full else (*pieces, own)
        backups.append(Backup(Path("r"), stamp, pieces, problem="" if luck else "it is damaged"))
    return Repository(Path("r"), tuple(backups))


def naive(repository: Repository, count: int, keep: Retention, now: float) -> set[str]:
    """The generations that stay, by asking of each backup whether any rule wants it."""
    good = {
        each.stamp: time_of(each.stamp) or BEGIN for each in repository.backups if each.complete
    }
    first_of = {each.stamp: each.pieces[0].stamp for each in repository.backups}
    every = sorted(set(first_of.values()))
    fulls = sorted({first_of[stamp] for stamp in good})
    stay = {every[-1], *fulls[-count:]}
    stay |= {first for first in every if len([each for each in fulls if each > first]) < count}
    for stamp, moment in good.items():
        later = [other for other in good.values() if other > moment]
        cut = datetime.fromtimestamp(now - keep.seconds, timezone.utc)
        young = moment > cut or not any(other <= cut for other in later)
        wanted = keep.seconds > 0 and young
        for limit, form in [
            (keep.daily, "%Y-%m-%d"),
            (keep.weekly, "%G-%V"),
            (keep.monthly, "%Y-%m"),
        ]:
            after = {format(other, form) for other in later}
            wanted |= format(moment, form) not in after and len(after) < limit
        if wanted:
            stay.add(first_of[stamp])
    return stay


@given(steps=steps, count=st.integers(1, 5), keep=rules, ahead=st.integers(-50, 5000))
@settings(deadline=None)
def test_what_any_rule_wants_stays_with_all_it_needs_and_the_rest_goes(
    steps: list[tuple[int, bool, int]], count: int, keep: Retention, ahead: int
) -> None:
    repository = made(steps)
    newest = time_of(repository.backups[-1].stamp) or BEGIN
    now = newest.timestamp() + ahead * 3600
    removed = outdated(repository, count, keep, now)
    every = {backup.generation for backup in repository.backups}
    assert every - set(removed) == naive(repository, count, keep, now)
    # Each generation goes as a whole, so that nothing that stays lacks a piece.
    assert set(removed) <= {backup.stamp for backup in repository.backups if backup.full}
    # With more rules, or more of one, more is kept.
    assert set(removed) <= set(outdated(repository, count))


@pytest.mark.parametrize(
    ("keep", "months"),
    [
        (Retention(), [11, 12]),
        (Retention(monthly=5), [8, 9, 10, 11, 12]),
        (Retention(seconds=85 * 86400), [9, 10, 11, 12]),  # the state of 85 days ago as well
        (Retention(daily=1, weekly=1), [11, 12]),
    ],
    ids=["count", "monthly", "age", "newest"],
)
def test_what_stays_is_whole(tmp_path: Path, keep: Retention, months: list[int]) -> None:
    directory = tmp_path / "backups"
    stamps = make_repository(directory, fulls=12, each=3, every=86400 * 365 / 36)
    newest = time_of(stamps[-1])
    assert newest
    removed = outdated(read_repository(directory), 2, keep, newest.timestamp())
    remove_generations(QuickDisk(), directory, removed, print)
    left = read_repository(directory)
    assert left.problems == ()
    assert all(backup.proven for backup in left.backups)
    assert [backup.stamp for backup in left.backups] == [
        stamp for number, stamp in enumerate(stamps) if number // 3 + 1 in months
    ]
