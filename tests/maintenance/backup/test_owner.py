"""Whose a repository is when root makes a backup by hand and another user makes all the others."""

import os
from pathlib import Path

import pytest

from tests.support.databases.repository import Noted, Site
from tests.support.faults.rights import NOBODY, public_directory, unprivileged
from zope_exporter.collectors.backup import BackupCollector
from zope_exporter.config.actions import BackupConfig
from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.actions.databases import BackupPlan
from zope_exporter.maintenance.jobs.report import ActionError
from zope_exporter.metrics.registry import Registry

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def owners(repository: Path) -> set[int]:
    return {path.lstat().st_uid for path in (repository, *repository.rglob("*"))}


def test_what_root_adds_belongs_to_the_owner_of_the_repository(site: Site) -> None:
    site.blob_dir = site.data_fs.with_name("blobs")
    site.more()
    site.repository.mkdir(mode=0o700)
    os.chown(site.repository, NOBODY, NOBODY)
    site.back_up()
    site.more()
    assert site.back_up().kind == "incremental"
    assert site.verify().ok
    assert owners(site.repository) == {NOBODY}


def test_a_repository_that_root_makes_is_said_to_be_roots(site: Site) -> None:
    report = Noted()
    site.repository /= "deeper"
    site.back_up(report=report)
    assert owners(site.repository.parent) == {0}
    [said] = [line for line in report.lines if "belongs to root" in line]
    assert said.startswith(f"{site.repository.parent} was made")
    assert "chown -R" in said
    site.back_up(report=report)
    assert len([line for line in report.lines if "belongs to root" in line]) == 1


def test_a_user_who_may_not_write_there_is_told_what_to_do() -> None:
    with public_directory() as directory:
        site = Site(directory)
        site.back_up()
        with unprivileged(), pytest.raises(ActionError, match=f"uid {NOBODY}: chown -R"):
            site.back_up()


def test_a_repository_that_may_not_be_read_is_named_with_the_remedy() -> None:
    with public_directory() as directory:
        site = Site(directory)
        site.back_up()
        settings = BackupConfig(repository=site.repository)
        plan = BackupPlan("a", "main", Storage("main", site.data_fs), site.repository, settings)
        with unprivileged():
            [failure] = Registry([BackupCollector(lambda: [plan])]).scrape(60).failures
    assert "may not be read" in str(failure)
    assert "chown -R" in str(failure)
