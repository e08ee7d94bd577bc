"""`restore` and `recover` as a shell runs them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.databases.packing import items, make_database
from tests.support.databases.repository import tree
from tests.support.programs.children import child, lines_until_ready
from tests.support.programs.exporter import zope_exporter

OPEN = """
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    data_fs = tmp_path / "site/Data.fs"
    make_database(data_fs, revisions=3, blobs=2)
    shutil.copytree(data_fs.parent, tmp_path / "backup")
    make_database(data_fs, revisions=1, size=33)
    return data_fs


def run(site: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    state = site.parents[1] / "state"
    config = site.parents[1] / "config.yml"
    config.write_text("discover: false\n")
    command, *rest = arguments
    flags = ("--config.file", config) if command == "restore" or "--rescue-pack" in rest else ()
    # Whoever may not see all processes goes by the lock; for root that changes nothing.
    lock = ("--go-by-the-lock",) if flags else ()
    return zope_exporter(command, *rest, *flags, *lock, state_dir=state)


def restore(site: Path) -> "subprocess.CompletedProcess[str]":
    backup = site.parents[1] / "backup"
    return run(
        site, "restore", backup / "Data.fs", site,
        "--blobs", backup / "blobs", "--blob-dir", site.with_name("blobs"),
    )  # fmt: skip


def test_a_site_is_restored_and_told_what_is_kept(site: Path) -> None:
    done = restore(site)
    assert done.returncode == 0, done.stderr
    assert "that of before is kept" in done.stderr
    assert items(site) == items(site.parents[1] / "backup/Data.fs")
    assert f"{site} is the restored one; that of before is kept" in done.stderr.splitlines()[-1]


def test_a_restore_to_an_empty_place_says_that_the_restored_one_is_there(site: Path) -> None:
    backup, new = site.parents[1] / "backup/Data.fs", site.parents[1] / "new/Data.fs"
    new.parent.mkdir()
    done = run(
        site, "restore", backup, new, "--blobs", backup.with_name("blobs"),
        "--blob-dir", new.with_name("blobs"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert items(new) == items(backup)
    last = done.stderr.splitlines()[-1]
    assert f"{new} is the restored one; nothing was there before" in last
    assert "untouched" not in done.stderr


def test_promise_7_a_site_that_runs_is_not_touched(site: Path) -> None:
    before = site.read_bytes()
    with child(OPEN, str(site)) as zope:
        lines_until_ready(zope)
        refused = restore(site)
    assert refused.returncode == 3
    assert f"process {zope.pid} has {site} open" in refused.stderr
    assert site.read_bytes() == before


def test_what_is_no_data_fs_fails(site: Path) -> None:
    (site.parents[1] / "backup/Data.fs").write_text("junk" * 100)
    before = site.read_bytes()
    failed = restore(site)
    assert failed.returncode == 1
    assert "does not begin with FS21 or FS30" in failed.stderr
    assert f"{site} is the one of before, untouched" in failed.stderr
    assert site.read_bytes() == before


def test_a_link_is_refused_with_the_file_it_leads_to(site: Path) -> None:
    link = site.parents[1] / "link.fs"
    link.symlink_to(site)
    refused = run(site, "restore", site.parents[1] / "backup/Data.fs", link)
    assert refused.returncode == 3
    assert f"name the file itself: {site}" in refused.stderr


def test_recover_ends_with_1_if_anything_is_lost_and_with_0_if_not(site: Path) -> None:
    output = site.with_name("recovered.fs")
    whole = run(site, "recover", site, output)
    assert whole.returncode == 0, whole.stderr
    assert "nothing found missing (the contents of the records were not checked" in whole.stdout
    again = run(site, "recover", site, output)
    assert again.returncode == 3
    assert "is there already" in again.stderr
    content = bytearray(site.read_bytes())
    content[4:60] = bytes(56)  # the first transaction begins here
    site.write_bytes(content)
    output.unlink()
    lost = run(site, "recover", site, output)
    assert lost.returncode == 1, lost.stdout
    assert "lost" in lost.stdout
    assert site.read_bytes() == content


def test_recover_rescues_what_a_died_pack_left(site: Path) -> None:
    shutil.copy(site, site.with_name("Data.fs.pack"))
    site.rename(site.with_name("Data.fs.old"))
    explained = run(site, "recover", site, site.with_name("out.fs"))
    assert explained.returncode == 3
    assert "Do not start Zope or ZEO" in explained.stderr
    assert "mv " in explained.stderr
    done = run(site, "recover", site, "--rescue-pack")
    assert done.returncode == 0, done.stderr
    assert site.exists()


def test_recover_wants_to_know_what_is_meant(site: Path) -> None:
    assert run(site, "recover", site).returncode == 2


@pytest.mark.parametrize("moment", ["2026-11-22", "zzz", ""])
def test_facts_r13_a_moment_that_is_none_is_a_mistake(site: Path, moment: str) -> None:
    refused = run(site, "restore", site.parents[1], site, "--at", moment)
    assert refused.returncode == 2
    assert "is not a moment" in refused.stderr


def test_a_repository_without_backups_is_a_refusal(site: Path) -> None:
    (site.parents[1] / "empty").mkdir()
    refused = run(site, "restore", site.parents[1] / "empty", site)
    assert refused.returncode == 3
    assert "has no complete backup" in refused.stderr


def test_a_dry_run_of_a_restore_does_the_checks_and_writes_nothing(site: Path) -> None:
    directories = site.parent, site.with_name("blobs")
    before = tree(site.parent), [each.stat().st_mtime_ns for each in directories]
    backup = site.parents[1] / "backup"
    command = ("restore", backup / "Data.fs", site, "--dry-run", "--blob-dir")
    dry = run(site, *command, site.with_name("blobs"), "--blobs", backup / "blobs")
    assert dry.returncode == 0, dry.stderr
    assert f"{backup}/Data.fs would be restored to {site}: " in dry.stderr
    assert re.search(r" and \d blobs\n", dry.stderr)
    assert f"the Data.fs of before would be kept as {site}.before-restore-" in dry.stderr
    content = bytearray((backup / "Data.fs").read_bytes())
    content[len(content) // 2 :] = b"\0" * len(content[len(content) // 2 :])
    (backup / "Data.fs").write_bytes(content)
    damaged = run(site, *command, site.with_name("blobs"), "--blobs", backup / "blobs")
    assert damaged.returncode == 1, damaged.stderr
    assert "would be restored" not in damaged.stderr
    # Not even for a moment: what is made and removed again leaves its time.
    assert (tree(site.parent), [each.stat().st_mtime_ns for each in directories]) == before


def test_a_dry_run_while_the_site_runs_ends_with_what_is_to_be_stopped(site: Path) -> None:
    backup = site.parents[1] / "backup/Data.fs"
    with child(OPEN, str(site)) as zope:
        lines_until_ready(zope)
        used = run(site, "restore", backup, site, "--dry-run")
    assert used.returncode == 3
    assert f"{backup} would be restored to {site}" in used.stderr
    assert f"has {site} open (stop Zope and ZEO first)" in used.stderr
