from pathlib import Path

import pytest

from zope_exporter.actions.backups import BackupPlan
from zope_exporter.collectors.backup import BackupCollector
from zope_exporter.config.actions import BackupConfig
from zope_exporter.exposition import encode
from zope_exporter.inventory import Storage
from zope_exporter.registry import Registry

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def plan(tmp_path: Path) -> BackupPlan:
    repository = tmp_path / "backups"
    storage = Storage("main", tmp_path / "Data.fs")
    return BackupPlan("intranet", "main", storage, repository, BackupConfig(repository=repository))


def test_golden_page(plan: BackupPlan) -> None:
    plan.repository.mkdir()
    scrape = Registry([BackupCollector(lambda: [plan])]).scrape(60)
    assert scrape.failures == []
    masked = [
        sample._replace(value=0) if sample.metric.name.endswith("avail_bytes") else sample
        for sample in scrape.samples
        if not sample.metric.name.startswith("zope_collector")
    ]
    assert encode(masked, "")[0].decode() == (GOLDEN / "backup.txt").read_text()


def test_a_repository_that_is_not_there_is_a_failure(plan: BackupPlan) -> None:
    scrape = Registry([BackupCollector(lambda: [plan])]).scrape(60)
    (failure,) = scrape.failures
    assert failure.source == "intranet/main"
    assert f"{plan.repository} is missing: no backup was made yet, or its file system" in str(
        failure
    )
    assert "zope_backup_max_age_seconds" in {sample.metric.name for sample in scrape.samples}
