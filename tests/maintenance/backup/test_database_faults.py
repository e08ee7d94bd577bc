"""Databases that are damaged themselves: a faithful copy is a good backup; else it is in doubt."""

from contextlib import closing
from pathlib import Path

import pytest
import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.utils import p64, z64

from tests.support.databases.blobs import make_blobs
from tests.support.databases.datafs import storage_at
from tests.support.databases.history import History, compressed, record
from tests.support.databases.repository import Site, repozo
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.verification import verify
from zope_exporter.maintenance.backup.verification_record import SHOWN, Level
from zope_exporter.maintenance.jobs.report import Silent


def lose_objects(data_fs: Path, count: int) -> None:
    """Let the root refer to that many objects, and then delete them."""
    with closing(ZODB.DB(FileStorage(str(data_fs)))) as database:
        connection = database.open()
        lost = [PersistentMapping() for _ in range(count)]
        connection.root().update({f"lost {number}": each for number, each in enumerate(lost)})
        transaction.commit()
        deletion = TransactionMetaData()
        database.storage.tpc_begin(deletion)
        for each in lost:
            database.storage.deleteObject(each._p_oid, each._p_serial, deletion)
        database.storage.tpc_vote(deletion)
        database.storage.tpc_finish(deletion)
        connection.close()


@pytest.fixture
def broken(site: Site) -> Site:
    site.data_fs.unlink()
    lose_objects(site.data_fs, 2)
    return site


@pytest.fixture
def with_blobs(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 4)
    return site


def blobs_of(site: Site) -> list[Path]:
    assert site.blob_dir
    return sorted(site.blob_dir.rglob("*.blob"))


def counted(site: Site) -> int | None:
    newest = read_repository(site.repository).newest
    assert newest is not None
    assert newest.record is not None
    return newest.record.database_faults


def test_a_faithful_copy_of_a_damaged_database_is_proven_and_tells_of_it(broken: Site) -> None:
    broken.back_up()
    verdict = broken.verify()
    assert verdict.ok, verdict.failures
    assert len(verdict.database_faults) == 2
    assert "object 0x0 refers to object 0x" in verdict.database_faults[0]
    assert counted(broken) == 2
    newest = read_repository(broken.repository).newest
    assert newest is not None
    assert newest.proven


def test_dangling_references_in_what_zlibstorage_compressed(site: Site) -> None:
    site.data_fs.unlink()
    with storage_at(site.data_fs) as storage:
        history = History(storage)
        records = [record(300, [1, 77, (88, "weak")]), record(300, [99]), record(300, [111])]
        with history.transaction() as transaction:
            for oid, data in enumerate(records):
                storage.store(p64(oid), z64, compressed(data), "", transaction)
    site.back_up()
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    lost = "".join(verdict.database_faults)
    assert len(verdict.database_faults) == 2, lost
    assert "object 0x0 refers to object 0x4d" in lost
    assert "object 0x1 refers to object 0x63" in lost


def test_what_is_said_is_bounded_and_what_is_counted_is_not(site: Site) -> None:
    site.data_fs.unlink()
    lose_objects(site.data_fs, SHOWN + 7)
    site.back_up()
    faults = site.verify().database_faults
    assert len(faults) == SHOWN + 1
    assert faults[-1].startswith("7 more")
    assert counted(site) == SHOWN + 7


def test_none_are_counted_as_none(site: Site) -> None:
    site.back_up()
    assert site.verify().database_faults == ()
    assert counted(site) == 0


def test_in_repozo_s_backup_nobody_can_tell_so_they_are_failures(broken: Site) -> None:
    broken.repository.mkdir()
    made = repozo("-B", "-r", broken.repository, "-f", broken.data_fs)
    assert made.returncode == 0, made.stderr
    verdict = broken.verify()
    assert [failure for failure in verdict.failures if "refers to object" in failure]
    assert verdict.database_faults == ()
    assert counted(broken) is None


def test_repozo_s_pieces_are_faithful_once_compared_with_the_data_fs(broken: Site) -> None:
    broken.repository.mkdir()
    made = repozo("-B", "-r", broken.repository, "-f", broken.data_fs)
    assert made.returncode == 0, made.stderr
    broken.now = 2e9
    broken.back_up()
    verdict = broken.verify()
    assert verdict.ok, verdict.failures
    assert counted(broken) == 2


def test_a_damaged_piece_is_a_failure_and_nothing_is_said_of_the_database(broken: Site) -> None:
    broken.back_up()
    [piece] = broken.repository.glob("*.fs")
    data = bytearray(piece.read_bytes())
    data[-20] ^= 1
    piece.write_bytes(data)
    verdict = broken.verify()
    assert not verdict.ok
    assert counted(broken) is None


def test_a_blob_that_database_and_backup_lack_is_a_fault_of_the_database(with_blobs: Site) -> None:
    gone = blobs_of(with_blobs)[0]
    gone.unlink()
    with_blobs.back_up()
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures
    [fault] = verdict.database_faults
    assert gone.name in fault
    assert counted(with_blobs) == 1


def test_a_blob_that_only_the_backup_lacks_is_a_failure(with_blobs: Site) -> None:
    gone = blobs_of(with_blobs)[0]
    data = gone.read_bytes()
    gone.unlink()
    with_blobs.back_up()
    gone.write_bytes(data)
    [failure] = with_blobs.verify().failures
    assert gone.name in failure
    assert counted(with_blobs) is None


@pytest.mark.parametrize("known", [False, True])
def test_where_the_blob_directory_cannot_be_seen_a_missing_blob_is_a_failure(
    with_blobs: Site, known: bool
) -> None:
    blobs_of(with_blobs)[0].unlink()
    with_blobs.back_up()
    assert with_blobs.blob_dir
    with_blobs.blob_dir.rename(with_blobs.scratch / "unmounted")
    source = with_blobs.source() if known else None
    verdict = verify(with_blobs.repository, Level.RESTORE, Silent(), source)
    assert len(verdict.failures) == 1
    assert verdict.database_faults == ()
