import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.databases.datafs import commit, storage_at
from tests.support.databases.repository import repozo
from zope_exporter.collectors.backup import BackupCollector
from zope_exporter.collectors.disks import DisksCollector
from zope_exporter.config.actions import BackupConfig, VerifyConfig
from zope_exporter.discovery.inventory import Inventory, Storage
from zope_exporter.maintenance.actions.databases import BackupPlan
from zope_exporter.maintenance.actions.external import ExternalBackup
from zope_exporter.maintenance.backup.disk import Means
from zope_exporter.maintenance.backup.run import backup
from zope_exporter.maintenance.backup.target import BackupSettings, Source
from zope_exporter.maintenance.backup.verification import verify
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")
NOW = 1_800_000_000.0


@pytest.fixture
def plan(tmp_path: Path) -> BackupPlan:
    repository = tmp_path / "backups"
    storage = Storage("main", tmp_path / "Data.fs")
    settings = BackupConfig(repository=repository, verify=VerifyConfig(level="checksums"))
    return BackupPlan("intranet", "main", storage, repository, settings)


def scraped(plan: BackupPlan) -> Scrape:
    return Registry([BackupCollector(lambda: [plan])]).scrape(60)


def values(scrape: Scrape) -> dict[str, float]:
    return {
        " ".join([sample.metric.name.removeprefix("zope_backup_"), *sample.labels[2:]]): (
            sample.value
        )
        for sample in scrape.samples
        if sample.labels[:2] == ("intranet", "main")
    }


def back_up(plan: BackupPlan, number: int, now: float) -> None:
    """Commit one transaction, and back up at the time given."""
    with storage_at(plan.storage.data_fs) as storage:
        commit(storage, number)
    source = Source(plan.storage.data_fs, None, plan.database, plan.site)
    backup(source, plan.repository, BackupSettings(), Silent(), Means(clock=lambda: now))


def test_golden_page(plan: BackupPlan) -> None:
    back_up(plan, 1, NOW)
    verify(plan.repository, Level.CHECKSUMS, Silent(), means=Means(clock=lambda: NOW + 60))
    back_up(plan, 2, NOW + 3600)
    scrape = scraped(plan)
    assert scrape.failures == []
    masked = [
        sample._replace(value=0) if sample.metric.name.endswith("avail_bytes") else sample
        for sample in scrape.samples
        if not sample.metric.name.startswith("zope_collector")
    ]
    assert encode(masked, "")[0].decode() == (GOLDEN / "backup.txt").read_text()


def test_a_quiet_site_is_backed_up_by_finding_nothing_new(plan: BackupPlan) -> None:
    back_up(plan, 1, NOW)
    before = values(scraped(plan))
    source = Source(plan.storage.data_fs, None, plan.database, plan.site)
    tomorrow = Means(clock=lambda: NOW + 86400)
    backup(source, plan.repository, BackupSettings(), Silent(), tomorrow)
    after = values(scraped(plan))
    assert after["last_success_timestamp_seconds"] == NOW + 86400
    assert after["files full"] == before["files full"] == 1
    assert (
        after["covered_transaction_timestamp_seconds"]
        == (before["covered_transaction_timestamp_seconds"])
    )


def test_faults_of_the_database_are_told_once_it_was_restored(plan: BackupPlan) -> None:
    back_up(plan, 1, NOW)
    verify(plan.repository, Level.CHECKSUMS, Silent(), means=Means(clock=lambda: NOW + 60))
    assert "database_faults" not in values(scraped(plan))
    verify(plan.repository, Level.RESTORE, Silent(), means=Means(clock=lambda: NOW + 120))
    assert values(scraped(plan))["database_faults"] == 0
    back_up(plan, 2, NOW + 3600)
    assert values(scraped(plan))["database_faults"] == 0  # as the last one found


def test_repozo_s_backups_count_without_a_proof(plan: BackupPlan) -> None:
    with storage_at(plan.storage.data_fs) as storage:
        commit(storage, 1)
    plan.repository.mkdir()
    done = repozo("-B", "-r", plan.repository, "-f", plan.storage.data_fs)
    assert done.returncode == 0, done.stderr
    found = values(scraped(plan))
    assert found["files full"] == 1
    assert found["covered_transaction_timestamp_seconds"] == found["last_success_timestamp_seconds"]
    assert "last_verified_timestamp_seconds" not in found


def test_a_piece_that_was_cut_off_is_no_backup(plan: BackupPlan) -> None:
    collector = Registry([BackupCollector(lambda: [plan])])
    back_up(plan, 1, NOW)
    assert "last_success_timestamp_seconds" in values(collector.scrape(60))
    (piece,) = plan.repository.glob("*.fs")
    piece.chmod(0o600)
    piece.write_bytes(piece.read_bytes()[:-1])
    assert "last_success_timestamp_seconds" not in values(collector.scrape(60))


def test_the_next_backup_is_seen(plan: BackupPlan) -> None:
    collector = Registry([BackupCollector(lambda: [plan])])
    for number in range(1, 4):
        back_up(plan, number, NOW + number)
        found = values(collector.scrape(60))
        assert found["last_success_timestamp_seconds"] == NOW + number
        assert found["files full"] + found["files incremental"] == number


def test_a_repository_that_is_not_there_is_a_failure(plan: BackupPlan) -> None:
    scrape = scraped(plan)
    (failure,) = scrape.failures
    assert failure.source == ("intranet", "main")
    missing = f"{plan.repository} is missing: no backup was made yet, or its file system is not"
    assert missing in str(failure)
    assert set(values(scrape)) == {"max_age_seconds"}


def test_backups_of_another_site_tell_nothing(plan: BackupPlan) -> None:
    back_up(plan, 1, NOW)
    scrape = scraped(replace(plan, site="shop"))
    [failure] = scrape.failures
    assert "it is a backup of main of intranet, and this is main of shop" in str(failure)
    told = {sample.metric.name for sample in scrape.samples if sample.labels[:1] == ("shop",)}
    assert told == {"zope_backup_max_age_seconds", "zope_backup_repository_avail_bytes"}


def test_the_backups_of_before_a_database_was_made_anew_tell_nothing(plan: BackupPlan) -> None:
    back_up(plan, 1, NOW)
    assert "last_success_timestamp_seconds" in values(scraped(plan))
    for path in plan.storage.data_fs.parent.glob("Data.fs*"):
        path.unlink()
    with storage_at(plan.storage.data_fs) as storage:
        commit(storage, 2)
    scrape = scraped(plan)
    [failure] = scrape.failures
    assert "made anew" in str(failure)
    assert values(scrape).keys() == {"max_age_seconds", "repository_avail_bytes"}


def watched(path: Path) -> Scrape:
    external = ExternalBackup("shop", "main", path, 7200.0)
    return Registry([BackupCollector(tuple, lambda: [external])]).scrape(60)


def touch(path: Path, moment: float, contents: str = "dump") -> None:
    path.write_text(contents)
    os.utime(path, (moment, moment))


def test_golden_page_of_backups_by_others(tmp_path: Path) -> None:
    touch(tmp_path / "done", NOW, "")
    scrape = watched(tmp_path / "done")
    assert scrape.failures == []
    ours = [s for s in scrape.samples if not s.metric.name.startswith("zope_collector")]
    assert encode(ours, "")[0].decode() == (GOLDEN / "backup_external.txt").read_text()


def test_of_a_directory_the_newest_whole_file_counts(tmp_path: Path) -> None:
    touch(tmp_path / "monday.dump", NOW)
    touch(tmp_path / "tuesday.dump", NOW + 1)
    touch(tmp_path / "wednesday.dump", NOW + 2, "")  # pg_dump failed, and its shell had opened it
    touch(tmp_path / "wednesday.dump.part", NOW + 3)
    touch(tmp_path / ".listing", NOW + 4)
    (tmp_path / "latest").symlink_to("gone")
    (tmp_path / "logs").mkdir()
    found = {s.metric.name: s.value for s in watched(tmp_path).samples}
    assert found["zope_backup_last_success_timestamp_seconds"] == NOW + 1


def test_without_any_success_that_is_said_and_the_alert_has_its_limit(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path / "done", "done is missing, or has no file in it"),
        (tmp_path / "empty", "empty is missing, or has no file in it"),
        (tmp_path / "file/done", "file/done cannot be read: Not a directory"),
    ]:
        scrape = watched(path)
        assert [reason in failure.reason for failure in scrape.failures] == [True]
        names = {sample.metric.name for sample in scrape.samples}
        assert "zope_backup_max_age_seconds" in names
        assert "zope_backup_last_success_timestamp_seconds" not in names


def test_to_list_what_is_read_takes_no_look_at_a_repository(tmp_path: Path) -> None:
    """One that hangs would keep all other databases from being looked at."""
    settings = BackupConfig(repository=tmp_path)
    plan = BackupPlan("intranet", "1", Storage("1", tmp_path / "Data.fs"), tmp_path, settings)
    for collector in (
        BackupCollector(lambda: [plan]),
        DisksCollector(Inventory, tuple, lambda: [plan]),
    ):
        assert list(collector.parts())
    assert "place" not in vars(plan)
