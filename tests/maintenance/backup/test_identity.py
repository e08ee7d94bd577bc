"""Whether a Data.fs is the database whose backups a repository holds, case by case of the rule."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import transaction

from tests.support.databases.repository import Noted, repozo, tree
from tests.support.databases.zodb import ZopeSite, change, copy_without, database, pack
from zope_exporter.maintenance.backup.identity import OtherDatabaseError
from zope_exporter.maintenance.backup.repository import read_repository


@pytest.fixture
def site(tmp_path: Path) -> ZopeSite:
    return ZopeSite(tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> ZopeSite:
    """Another database, on another host that has the same repository mounted."""
    (tmp_path / "other").mkdir()
    other = ZopeSite(tmp_path / "other")
    other.repository = tmp_path / "backups"
    return other


def goes_on(site: ZopeSite, kind: str = "full") -> None:
    assert site.verify().ok
    assert site.back_up().kind == kind
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def refused(site: ZopeSite, why: str) -> None:
    """Every kind of backup is, and so is a verification; nothing is removed, nor proven anew."""
    before = tree(site.repository)
    for full in (False, True):
        with pytest.raises(OtherDatabaseError, match=why) as failed:
            site.back_up(full=full, keep=1)
        assert "move the" in failed.value.remedy
        assert "repository away" in failed.value.remedy
    verdict = site.verify()
    assert any(failed.value.reason.split(": ", 1)[-1] in each for each in verdict.failures)
    now = tree(site.repository)
    assert {name: now.get(name) for name in before if "." in name and "verified" not in name} == {
        name: found for name, found in before.items() if "verified" not in name
    }


def two_generations(site: ZopeSite) -> list[bytes]:
    """Return what the Data.fs was at each of four backups: full, incremental, full, incremental."""
    states = []
    for full in (True, False, True, False):
        site.commit(2)
        site.back_up(full=full)
        states.append(site.bytes)
    return states


def test_commits_and_an_undo_go_on(site: ZopeSite) -> None:
    site.back_up()
    with database(site.data_fs) as opened:
        undoing = transaction.TransactionManager()
        opened.undo(opened.undoLog(0, 1)[0]["id"], undoing.get())
        undoing.commit()
    goes_on(site, "incremental")


@pytest.mark.parametrize("packs", [1, 2])
def test_a_pack_goes_on_though_the_last_transaction_backed_up_is_packed_away(
    site: ZopeSite, packs: int
) -> None:
    site.back_up()
    for _ in range(packs):
        site.commit(3)
        pack(site.data_fs)
    site.commit()
    goes_on(site)


def test_a_pack_that_takes_the_last_transaction_and_no_commit_goes_on(site: ZopeSite) -> None:
    change(site.data_fs, lambda root: root.update(gone=type(root["page"])()))
    change(site.data_fs, lambda root: root["gone"].update(left=type(root["page"])()))
    change(site.data_fs, lambda root: root.pop("gone"))
    site.back_up()
    pack(site.data_fs)
    goes_on(site)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("then", ["nothing", "commits", "pack", "commits and pack"])
def test_a_restored_backup_goes_on(site: ZopeSite, number: int, then: str) -> None:
    site.put(two_generations(site)[number])
    if "commits" in then:
        site.commit(2)
    if "pack" in then:
        pack(site.data_fs)
        site.commit()
    of_newest = {"nothing": "unchanged", "commits": "incremental"}.get(then, "full")
    goes_on(site, of_newest if number == 3 else "full")


def test_what_was_restored_away_can_be_restored_again(site: ZopeSite) -> None:
    """The newest backup is then of a past that the database no longer has."""
    states = two_generations(site)
    site.put(states[1])
    site.commit(2)
    goes_on(site)
    site.put(states[2])
    goes_on(site)
    site.put(states[3])
    site.commit(2)
    assert site.back_up().kind == "incremental", "it goes on from the one that was restored"
    assert site.verify().ok


def test_what_recover_left_out_is_no_reason_to_stop(site: ZopeSite, tmp_path: Path) -> None:
    site.commit(6)
    site.back_up()
    copy_without(site.data_fs, tmp_path / "recovered.fs", lambda number: number in (3, 4))
    site.put((tmp_path / "recovered.fs").read_bytes())
    site.commit()
    goes_on(site)


def test_a_database_without_its_last_transactions_goes_on_if_it_is_backed_up_before_it_is_used(
    site: ZopeSite,
) -> None:
    """By a disk set back, or a recovery; with commits, the backups have what would be lost."""
    site.commit()
    set_back = site.bytes
    site.commit(3)
    site.back_up()
    whole = site.bytes
    site.put(set_back)
    site.commit()
    refused(site, "lacks what backup .* it was set back")
    site.put(set_back)
    goes_on(site)
    site.put(whole)
    goes_on(site, "incremental")


def test_another_database_is_refused(site: ZopeSite, other: ZopeSite) -> None:
    """All of one, as two hosts that back up to one directory have it."""
    for _ in range(2):
        site.commit()
        other.commit()
        site.back_up(full=True)
    refused(other, "has a transaction of .* that is in no backup")
    other.commit()
    refused(other, "has a transaction of .* that is in no backup")
    goes_on(site, "unchanged")


def test_another_database_that_begins_earlier_or_ends_earlier_is_refused(
    site: ZopeSite, other: ZopeSite
) -> None:
    old = other.bytes
    site.make_anew()
    site.back_up()
    refused(other, "has a transaction of .* that is in no backup")
    other.put(old)
    pack(other.data_fs)
    refused(other, "has a transaction of .* that is in no backup")


def made_anew(site: ZopeSite) -> None:
    site.make_anew()


def made_anew_and_packed(site: ZopeSite) -> None:
    site.make_anew()
    site.commit(3)
    pack(site.data_fs)
    site.commit()


def emptied(site: ZopeSite) -> None:
    site.put(b"FS30")


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (made_anew, "has nothing of what was backed up: .* made anew"),
        (made_anew_and_packed, "has nothing of what was backed up: .* made anew"),
        (emptied, "holds no transaction, and the backups do"),
    ],
)
def test_a_database_made_anew_is_refused_and_the_right_one_goes_on(
    site: ZopeSite, happens: Callable[[ZopeSite], object], why: str
) -> None:
    site.commit(5)
    for _ in range(3):
        site.back_up(full=True)
    right = site.bytes
    happens(site)
    refused(site, why)
    assert len(read_repository(site.repository).complete) == 3
    site.put(right)
    site.commit()
    goes_on(site, "incremental")


def test_a_database_of_which_all_is_written_anew_and_packed_cannot_be_known(
    site: ZopeSite,
) -> None:
    site.back_up()
    change(site.data_fs, lambda root: root.update(new=1))
    site.commit()
    pack(site.data_fs)
    refused(site, "has nothing of what was backed up")


def test_a_copy_is_refused_once_it_goes_its_own_way(site: ZopeSite, other: ZopeSite) -> None:
    site.back_up()
    other.put(site.bytes)
    goes_on(other, "unchanged")
    goes_on(site, "unchanged")
    site.commit()
    other.commit()
    goes_on(other, "incremental")
    refused(site, "a copy that went its own way")
    goes_on(other, "unchanged")


def test_a_copy_of_an_old_backup_with_commits_of_its_own_is_refused(
    site: ZopeSite, other: ZopeSite
) -> None:
    site.back_up()
    other.put(site.bytes)
    other.commit()
    site.commit()
    site.back_up()
    refused(other, "a copy that went its own way")
    pack(other.data_fs)
    refused(other, "a copy that went its own way")
    goes_on(site, "unchanged")


@pytest.mark.parametrize(("site_name", "database_name"), [("shop", "main"), ("intranet", "users")])
def test_a_repository_of_another_name_is_refused(
    site: ZopeSite, site_name: str, database_name: str
) -> None:
    """Though the transactions be the same: so they are in a copy that others may play with."""
    site.back_up()
    assert site.verify().ok
    [before] = read_repository(site.repository).backups
    site.name, site.database = site_name, database_name
    refused(site, f"of main of intranet, and this is {database_name} of {site_name}")
    [after] = read_repository(site.repository).backups
    assert after.record == before.record, (
        "who does not know the database does not judge its backups"
    )
    shutil.move(site.repository, site.repository.with_name("old"))
    goes_on_anew(site)


def goes_on_anew(site: ZopeSite) -> None:
    assert site.back_up().kind == "full"
    assert site.verify().ok


def test_two_sites_that_have_shared_a_repository_are_both_refused(
    site: ZopeSite, other: ZopeSite
) -> None:
    site.back_up()
    copy = site.repository.with_name("copy")
    shutil.move(site.repository, copy)
    other.name = "shop"
    other.now += 86400.0
    other.back_up()
    shutil.copytree(site.repository, copy, dirs_exist_ok=True)
    site.repository = other.repository = copy
    refused(site, "of main of shop, and this is main of intranet")
    refused(other, "of main of intranet, and this is main of shop")


@pytest.mark.parametrize("gzip", [(), ("-z",)])
def test_a_repository_of_repozo_is_known_by_its_transactions(
    site: ZopeSite, other: ZopeSite, gzip: tuple[str, ...]
) -> None:
    site.repository.mkdir()
    made = repozo("-B", *gzip, "-r", site.repository, "-f", site.data_fs)
    assert made.returncode == 0, made.stderr
    site.now = other.now = 2e9  # after the stamp of theirs
    with pytest.raises(OtherDatabaseError):
        other.back_up()
    site.commit(2)
    pack(site.data_fs)
    assert site.back_up().kind == "full"


@pytest.mark.parametrize("gzip", [False, True])
def test_what_cannot_be_read_is_not_compared_with(site: ZopeSite, gzip: bool) -> None:
    site.back_up(gzip=gzip)
    for _ in range(2):
        site.commit()
        site.back_up(gzip=gzip)
    pack(site.data_fs)
    for number, path in enumerate(sorted(site.repository.glob("*fs*"), reverse=True)):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        noted = Noted()
        copy = site.with_repository(site.scratch / f"copy-{number}")
        shutil.copytree(site.repository, copy.repository)
        assert copy.back_up(report=noted).kind == "full"
    assert any("no backup can be read" in line for line in noted.lines)


def test_a_migration_that_changes_but_the_first_bytes_goes_on(site: ZopeSite) -> None:
    site.back_up()
    site.put(b"FS21" + site.bytes[4:])
    assert site.back_up().kind == "full"


def test_another_repository_is_the_remedy_for_a_database_that_is_meant_to_be_new(
    site: ZopeSite,
) -> None:
    site.back_up()
    site.make_anew()
    refused(site, "made anew")
    shutil.move(site.repository, site.repository.with_name("old"))
    goes_on_anew(site)
