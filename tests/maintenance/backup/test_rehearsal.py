"""What a backup says of itself without being made."""

import pytest

from tests.support.databases.repository import Noted, Site, tree
from zope_exporter.maintenance.backup.disk import Means
from zope_exporter.maintenance.backup.rehearsal import rehearse
from zope_exporter.maintenance.backup.target import BackupSettings, Source
from zope_exporter.maintenance.jobs.report import ActionError


def said(site: Site, keep: int = 4, full: bool = False, name: str = "intranet") -> list[str]:
    report = Noted()
    source = Source(site.data_fs, site.blob_dir, "main", name)
    settings = BackupSettings(full or None, keep_full=keep)
    rehearse(source, site.repository, settings, report, Means(clock=site.clock))
    return report.lines


def test_what_would_be_written_is_said_and_not_written(site: Site) -> None:
    first, last = said(site)
    assert first == f"a full backup would be made: {site.data_fs.stat().st_size} B"
    assert last == "nothing was done"
    assert not site.repository.exists()
    full = site.back_up().stamp
    before = tree(site.repository)
    assert said(site)[-2] == f"there is nothing new since {full}"
    site.commit()
    assert said(site)[-2].startswith(f"an incremental backup after {full} would be made: ")
    assert tree(site.repository) == before


def test_what_would_be_removed_then_is_what_is_removed(site: Site) -> None:
    for _ in range(3):
        site.back_up(full=True)
        site.commit()
    site.back_up()
    site.verify()
    would = [line for line in said(site, 2, full=True) if "would be removed" in line]
    removed = site.back_up(full=True, keep=2).removed
    assert [line.partition(" ")[0] for line in would] == list(removed)
    assert len(removed) == 2


def test_a_repository_of_another_is_a_failure(site: Site) -> None:
    site.back_up()
    with pytest.raises(ActionError, match="it is a backup of main of intranet"):
        said(site, name="shop")
