"""Full and incremental backups, and what plain repozo makes of them."""

import pytest

from tests.support.databases.repository import Site, repozo, restored
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.disk import Means
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.backup.run import backup
from zope_exporter.maintenance.backup.target import BackupSettings
from zope_exporter.maintenance.jobs.report import Silent


@pytest.mark.parametrize("gzip", [False, True])
def test_what_is_backed_up_is_restored_by_repozo_byte_for_byte(site: Site, gzip: bool) -> None:
    for kind in ("full", "incremental", "incremental"):
        result = site.back_up(gzip=gzip)
        assert result.kind == kind
        assert repozo("-V", "-r", site.repository).returncode == 0
        assert restored(site.repository, site.scratch / "Data.fs") == site.bytes
        target = site.scratch / "with-verify"
        done = repozo("-R", "-w", "-r", site.repository, "-o", target)
        assert done.returncode == 0, done.stderr
        verdict = site.verify()
        assert verdict.ok, verdict.failures
        assert (verdict.transactions, verdict.records) == (site.commits, site.commits)
        site.commit(2)


def test_nothing_new_writes_no_piece_but_proves_that_all_is_covered(site: Site) -> None:
    site.back_up()
    [before] = read_repository(site.repository).backups
    assert site.back_up().kind == "unchanged"
    [after] = read_repository(site.repository).backups
    assert after.covered > before.covered
    assert after.pieces == before.pieces


def test_a_manifest_tells_what_is_covered(site: Site) -> None:
    site_result = site.back_up()
    site.commit()
    result = site.back_up()
    manifest = read_repository(site.repository).backups[-1].manifest
    assert manifest is not None
    assert (manifest.site, manifest.database) == ("intranet", "main")
    assert manifest.end == site.data_fs.stat().st_size
    assert manifest.transactions == manifest.records == result.transactions == site.commits
    assert manifest.tid == result.tid > site_result.tid
    assert manifest.previous == site_result.stamp


def test_no_chain_grows_without_an_end(site: Site) -> None:
    settings = BackupSettings(most_pieces=3)
    kinds = []
    for _ in range(5):
        site.commit()
        means = Means(QuickDisk(), site.clock)
        kinds.append(backup(site.source(), site.repository, settings, Silent(), means).kind)
    assert kinds == ["full", "incremental", "incremental", "full", "incremental"]
    assert site.verify().ok
    assert restored(site.repository, site.scratch / "Data.fs") == site.bytes
