"""How a backup is proven right after it was made, and what of it where that cannot be."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.packing import make_database
from tests.support.databases.repository import Site, tree
from tests.support.faults.small_disk import mounted_read_only, small_disk_at
from tests.support.programs.exporter import zope_exporter
from zope_exporter.maintenance.backup.disk import Means
from zope_exporter.maintenance.backup.proof import prove
from zope_exporter.maintenance.backup.repository import Backup, read_repository
from zope_exporter.maintenance.backup.verification_record import Level, Schedule
from zope_exporter.maintenance.jobs.report import Silent


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def newest(repository: Path) -> Backup:
    found = read_repository(repository).newest
    assert found is not None
    return found


def test_a_backup_proves_what_is_new_and_all_once_in_a_while(host: Host) -> None:
    assert host.run("backup").returncode == 0
    first = newest(host.repository)
    assert first.record
    assert first.record.level is Level.RESTORE
    # Whoever reads what was proven already is noticed: it cannot be read any more.
    for path in (host.repository / first.pieces[0].name, *blobs_of(first)):
        spoil(path)
    make_database(host.data_fs, revisions=1, blobs=1)
    run = host.run("backup")
    assert run.returncode == 0, run.stderr
    assert "verified: checksums" in run.stdout
    second = newest(host.repository)
    assert second.kind == "incremental"
    assert second.record
    assert second.record.level is Level.CHECKSUMS
    again = host.run("backup")
    assert "kind: unchanged" in again.stdout
    assert again.returncode == 0, again.stderr
    text = host.config.read_text()
    host.config.write_text(text.replace("backups}", "backups, verify: {every: 0s}}"))
    due = host.run("backup")
    assert due.returncode == 1
    assert "its SHA-256 sum is not that of the list" in due.stderr


def blobs_of(backup: Backup) -> list[Path]:
    return list((backup.repository / "blobs").rglob("*.blob"))


def spoil(path: Path) -> None:
    """Change a byte, and nothing else that could be seen."""
    status = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(b"#")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_new_and_damaged_is_not_proven(host: Host) -> None:
    assert host.run("backup").returncode == 0
    make_database(host.data_fs, revisions=1, blobs=1)
    assert host.run("backup").returncode == 0
    piece = host.repository / newest(host.repository).pieces[-1].name
    piece.with_name(f"{piece.name.partition('.')[0]}.verified").unlink()
    spoil(piece)
    assert host.run("verify", "--level", "manifest").returncode == 0
    run = host.run("backup")
    assert run.returncode == 1
    assert piece.name in run.stderr
    assert "do not rely on what is named" in run.stderr


def test_a_backup_without_room_for_its_proof_was_made_and_is_not_refused(
    host: Host, tmp_path: Path
) -> None:
    with small_disk_at(tmp_path / "disk") as disk:
        repository = disk / "backups"
        host.config.write_text(
            host.config.read_text().replace("repository: backups", f"repository: {repository}")
        )
        # Both the backup and its trial want four megabytes to be left, of the five there are.
        make_database(host.data_fs, revisions=6, size=75_000)
        run = host.run("backup")
        assert run.returncode == 1, run.stdout
        assert "the backup was made, and its checksums are right" in run.stderr
        assert "not restored on trial" in run.stderr
        backup = newest(repository)
        assert backup.record
        assert backup.record.level is Level.CHECKSUMS
        [job] = host.jobs()
        assert (job.state, job.error.partition(":")[0]) == ("failed", "proving the backup")
        page = host.page()
        assert "last_success" in page
        assert "last_verified" not in page
        check = host.run("check").stdout
        assert "no backup was ever proven as `backup: verify:` asks" in check


def read_until_now() -> int:
    """Bytes that this process has read, as the kernel counts them."""
    [count] = re.findall(r"^rchar: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    return int(count)


def test_a_backup_of_nothing_new_reads_less_than_two_megabytes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.commit(1, b"x" * 1_000_000)
    schedule = Schedule(Level.RESTORE, 7 * 86400.0)
    means = Means(clock=site.clock)
    for kind, most in (("full", 10**9), ("unchanged", 2_000_000)):
        before = read_until_now()
        assert site.back_up().kind == kind
        assert prove(site.repository, schedule, Silent(), site.source(), means).ok
        assert read_until_now() - before < most
    assert site.data_fs.stat().st_size > 2 * most


def copied(host: Host, tmp_path: Path) -> Path:
    return Path(shutil.copytree(host.repository, tmp_path / "copy"))


@pytest.mark.parametrize("level", ["manifest", "checksums", "restore"])
def test_a_repository_is_verified_by_its_path_and_not_written_to(
    host: Host, tmp_path: Path, level: str
) -> None:
    assert host.run("backup").returncode == 0
    copy = copied(host, tmp_path)
    before = tree(copy)
    with mounted_read_only(copy) as place:
        run = zope_exporter("verify", str(place), "--level", level, state_dir=tmp_path / "none")
    assert run.returncode == 0, run.stderr
    assert f"verified: {level}" in run.stdout
    assert tree(copy) == before
    assert not (tmp_path / "none").exists()
    spoil(copy / newest(copy).pieces[0].name)
    before = tree(copy)
    run = zope_exporter("verify", str(copy), "--level", level, state_dir=tmp_path / "none")
    assert run.returncode == (0 if level == "manifest" else 1), run.stderr
    assert tree(copy) == before


def test_a_path_may_have_several_databases_or_none(host: Host, tmp_path: Path) -> None:
    assert host.run("backup").returncode == 0
    copy = tmp_path / "all"
    shutil.copytree(host.repository, copy / "databases/catalog")
    run = zope_exporter("verify", str(copy), state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "verify of catalog in" in run.stdout
    missing = zope_exporter("verify", f"{tmp_path}/nowhere", state_dir=tmp_path)
    assert missing.returncode == 3
    assert "is not there" in missing.stderr
