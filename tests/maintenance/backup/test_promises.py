"""What else an administrator may rely on, by the number of the promise."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.databases.blobs import make_blobs, pack
from tests.support.databases.datafs import storage_at, vote
from tests.support.databases.repository import Site, repozo, restored
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.manifest import Piece
from zope_exporter.maintenance.backup.prune import outdated
from zope_exporter.maintenance.backup.repository import (
    Backup,
    Repository,
    exclusive,
    read_repository,
    shared,
)
from zope_exporter.maintenance.backup.verification_record import Level, Seal, VerificationRecord
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError

YEAR = 365 * 86400.0


@pytest.fixture
def with_blobs(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 4)
    return site


class MeddlingDisk(QuickDisk):
    """Lets something happen before the first blob is copied."""

    def __init__(self, happens: Callable[[], object], times: int) -> None:
        self._happens = happens
        self._times = times

    def clone(self, source: int, target: int) -> bool:
        if self._times:
            self._times -= 1
            self._happens()
        return super().clone(source, target)


def test_promise_9_blobs_and_data_fs_match_after_a_pack_between_them(with_blobs: Site) -> None:
    disk = MeddlingDisk(lambda: pack(with_blobs.data_fs, blob_dir(with_blobs), 2), 1)
    with_blobs.back_up(disk=disk)
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures
    assert restored(with_blobs.repository, with_blobs.scratch / "Data.fs") == with_blobs.bytes


def test_promise_5_packs_without_an_end_fail_the_backup(with_blobs: Site) -> None:
    disk = MeddlingDisk(lambda: pack(with_blobs.data_fs, blob_dir(with_blobs), 1), 99)
    with pytest.raises(ActionError, match="replaced"):
        with_blobs.back_up(disk=disk)
    assert read_repository(with_blobs.repository).backups == ()


def test_promise_9_blobs_of_later_transactions_are_left_out(with_blobs: Site) -> None:
    def commits() -> None:
        make_blobs(with_blobs.data_fs, blob_dir(with_blobs), 1)

    assert with_blobs.back_up(disk=MeddlingDisk(commits, 1)).blobs == 4
    assert with_blobs.verify().ok


def test_promise_10_a_blob_that_cannot_be_read_fails_the_backup(with_blobs: Site) -> None:
    [first, *_] = blob_dir(with_blobs).rglob("*.blob")
    first.unlink()
    first.symlink_to("nowhere")
    with pytest.raises(ActionError):
        with_blobs.back_up()
    assert read_repository(with_blobs.repository).complete == ()


def test_promise_10_a_missing_blob_directory_fails_the_backup(site: Site) -> None:
    site.blob_dir = site.data_fs.parent / "nowhere"
    with pytest.raises(ActionError, match="nowhere"):
        site.back_up()


def blob_dir(site: Site) -> Path:
    assert site.blob_dir is not None
    return site.blob_dir


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_promise_12_a_wrong_clock_keeps_the_newest_backup(site: Site, jump: float) -> None:
    for change in (0.0, jump, -jump):
        site.now += change
        site.back_up(full=True, keep=1)
        site.verify()
        newest = read_repository(site.repository).newest
        assert newest is not None
        assert newest.pieces[-1].end == len(site.bytes)
        assert newest.proven
        site.commit()


STAMPS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12)


@given(STAMPS, st.integers(1, 4))
def test_promise_13_retention_never_removes_the_last_good(
    made: list[tuple[bool, bool, bool]], keep: int
) -> None:
    """Each backup is full or not, complete or not, and proven or not."""
    backups: list[Backup] = []
    chain: tuple[Piece, ...] = ()
    for number, (full, complete, proven) in enumerate(made):
        stamp = f"2026-01-{number + 1:02}-00-00-00"
        full = full or not chain  # noqa: PLW2901 (the first one must be)
        name = f"{stamp}.{'' if full else 'delta'}fs"
        chain = (*(() if full else chain), Piece(name, 0, 0, ""))
        record = VerificationRecord(stamp, Level.RESTORE, 0.0, (), Seal()) if proven else None
        problem = "" if complete else "damaged"
        backups.append(Backup(Path(), stamp, chain, problem=problem, record=record))
    listed = Repository(Path(), tuple(backups))
    removed = outdated(listed, keep)
    left = [backup for backup in backups if backup.generation not in removed]
    assert listed.newest is None or listed.newest in left
    assert listed.last_proven is None or listed.last_proven in left
    assert backups[-1] in left
    generations = {backup.generation for backup in listed.complete}
    kept = {backup.generation for backup in left if backup.complete}
    assert len(kept) >= min(keep, len(generations))


def test_two_at_once_are_refused(site: Site) -> None:
    site.back_up()
    with shared(site.repository), pytest.raises(RefusedError) as refused:
        site.back_up()
    assert refused.value.code == "busy"
    with exclusive(site.repository), pytest.raises(RefusedError):
        site.verify()


def test_a_repository_beside_the_data_fs_is_refused(site: Site) -> None:
    site.repository = site.data_fs.parent
    with pytest.raises(RefusedError) as refused:
        site.back_up()
    assert refused.value.code == "place"


def test_what_is_written_is_for_its_owner_only(with_blobs: Site) -> None:
    before = os.umask(0)
    try:
        with_blobs.back_up()
    finally:
        os.umask(before)
    for path in [with_blobs.repository, *with_blobs.repository.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        if path.suffix == ".blob":  # as the database has it: in directories that nobody else enters
            assert mode == 0o444
        else:
            assert mode == (0o700 if path.is_dir() else 0o600)


def test_after_a_pack_the_next_backup_is_full(with_blobs: Site) -> None:
    with_blobs.back_up()
    pack(with_blobs.data_fs, blob_dir(with_blobs), 2)
    with_blobs.more()
    assert with_blobs.back_up().kind == "full"
    assert with_blobs.verify().ok
    assert restored(with_blobs.repository, with_blobs.scratch / "Data.fs") == with_blobs.bytes


def test_the_same_bytes_in_another_file_are_gone_on_from(site: Site) -> None:
    site.back_up()
    data = site.bytes
    site.data_fs.unlink()
    site.data_fs.write_bytes(data)
    site.commit()
    assert site.back_up().kind == "incremental"
    assert site.verify().ok


def test_a_repository_of_repozo_is_continued(site: Site) -> None:
    site.repository.mkdir()
    made = repozo("-B", "-r", site.repository, "-f", site.data_fs)
    assert made.returncode == 0, made.stderr
    site.now = time.time()
    assert site.back_up().kind == "unchanged"  # it has a manifest now
    site.commit()
    assert site.back_up().kind == "incremental"
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def test_a_commit_in_progress_is_left_out(site: Site) -> None:
    end = len(site.bytes)
    with storage_at(site.data_fs) as storage:
        transaction = vote(storage, site.commits + 1)
        site.back_up()
        storage.tpc_abort(transaction)
    newest = read_repository(site.repository).newest
    assert newest is not None
    assert newest.pieces[-1].end == end


def test_a_torn_end_is_left_out(site: Site) -> None:
    end = len(site.bytes)
    site.commit()
    whole = site.bytes
    for cut in (1, 9, 60, len(whole) - end - 30, len(whole) - end - 1):
        site.data_fs.write_bytes(whole[:-cut])
        site.back_up(full=True)
        newest = read_repository(site.repository).newest
        assert newest is not None
        assert newest.pieces[-1].end == end


@pytest.mark.parametrize("what", [8, 15, 16])
def test_a_damaged_middle_fails_and_is_not_cut_short(site: Site, what: int) -> None:
    """R16: repozo saved 54161 of 127471 bytes, and said nothing. Length, and status, at 4 + n."""
    data = bytearray(site.bytes)
    data[4 + what] = ord("c") if what == 16 else data[4 + what] ^ 1
    site.data_fs.write_bytes(data)
    with pytest.raises(ActionError):
        site.back_up()
    assert read_repository(site.repository).backups == ()


def test_promise_28_a_planted_pickle_is_never_run(site: Site) -> None:
    marker = site.scratch / "marker"
    evil = b"cos\nsystem\n(S'touch " + bytes(marker) + b"'\ntR."
    site.commit(1, evil)
    site.repository.mkdir()
    (site.repository / "2025-01-01-00-00-00.index").write_bytes(evil)
    Path(f"{site.data_fs}.index").write_bytes(evil)
    site.back_up()
    assert site.verify().ok
    assert len(read_repository(site.repository).warnings) == 1
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".verified", ".current"])
def test_what_came_after_a_backup_may_be_lost_and_the_backup_is_as_good(
    site: Site, suffix: str
) -> None:
    for _ in range(2):
        site.back_up()
        site.verify()
    [path] = site.repository.glob(f"*{suffix}")
    path.write_bytes(b"spoilt")
    [backup] = read_repository(site.repository).backups
    assert backup.complete
    assert backup.proven == (suffix == ".current")
    verdict = site.verify()
    assert any(path.name in failure for failure in verdict.failures)
    assert site.verify().ok, "the proof was made anew, and what was spoilt is gone"


class NoRoomDisk(QuickDisk):
    """A disk that takes nothing any more."""

    def replace(self, path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, f"no space for {len(content)} bytes", str(path))


def test_a_full_repository_hides_no_fault_that_was_found(site: Site) -> None:
    site.back_up()
    [piece] = site.repository.glob("*.fs")
    piece.write_bytes(bytes(piece.stat().st_size))
    verdict = site.verify(disk=NoRoomDisk())
    assert any(failure.startswith(piece.name) for failure in verdict.failures)
    assert any("this result cannot be kept" in failure for failure in verdict.failures)


def test_blobs_that_backups_share_are_read_once(with_blobs: Site) -> None:
    for _ in range(3):
        with_blobs.more()
        with_blobs.back_up()
    [first, *_] = sorted((with_blobs.repository / "blobs").rglob("*.blob"))
    first.chmod(0o600)
    first.write_bytes(bytes(255 - byte for byte in first.read_bytes()) or b"x")
    verdict = with_blobs.verify()
    assert len([failure for failure in verdict.failures if first.name in failure]) == 1
    told = [each.record for each in read_repository(with_blobs.repository).backups]
    assert all(each and first.name in str(each.failures) for each in told), "each that has it"
