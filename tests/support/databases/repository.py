"""Databases that are backed up, and repozo as others run it."""

import shutil
import subprocess
import sys
import time
from copy import copy
from hashlib import sha256
from pathlib import Path

from tests.support.databases.blobs import make_blobs
from tests.support.databases.datafs import commit, storage_at
from tests.support.faults.disk import QuickDisk
from tests.support.programs.processes import eventually
from zope_exporter.maintenance.backup.blob_check import BlobCheck
from zope_exporter.maintenance.backup.blob_lists import blobs_of
from zope_exporter.maintenance.backup.disk import Disk, Means
from zope_exporter.maintenance.backup.repository import Backup
from zope_exporter.maintenance.backup.run import backup
from zope_exporter.maintenance.backup.target import BackupResult, BackupSettings, Source
from zope_exporter.maintenance.backup.verification import Verdict, verify
from zope_exporter.maintenance.backup.verification_record import Level
from zope_exporter.maintenance.jobs.report import Report, Silent

SECOND = "%Y-%m-%d-%H-%M-%S"


class Noted(Silent):
    """A report of which the lines are kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class Site:
    """A Data.fs in a directory of its own, and a repository beside it."""

    def __init__(self, directory: Path) -> None:
        self.data_fs = directory / "var" / "Data.fs"
        self.repository = directory / "backups"
        self.scratch = directory / "scratch"
        self.data_fs.parent.mkdir()
        self.scratch.mkdir()
        self.blob_dir: Path | None = None
        self.hard_links = False
        self.commits = 0
        self.now = 1_767_225_600.0  # the beginning of 2026
        self.commit(3)

    def commit(self, count: int = 1, data: bytes = b"some data") -> None:
        with storage_at(self.data_fs) as storage:
            for _ in range(count):
                self.commits += 1
                commit(storage, self.commits, data * self.commits)

    def more(self) -> None:
        """Commit something, blobs if there are any."""
        if self.blob_dir:
            make_blobs(self.data_fs, self.blob_dir, 1)
        else:
            self.commit(2)

    def with_repository(self, repository: Path) -> "Site":
        """The same database with another repository."""
        other = copy(self)
        other.repository = repository
        return other

    def clock(self) -> float:
        """A minute later at each look, but in the past: repozo sees nothing of the future."""
        self.now += 60.0
        return self.now

    def source(self) -> Source:
        return Source(self.data_fs, self.blob_dir, "main", "intranet")

    def back_up(
        self,
        full: bool = False,
        gzip: bool = False,
        keep: int = 4,
        disk: Disk | None = None,
        report: Report | None = None,
    ) -> BackupResult:
        settings = BackupSettings(full, gzip, keep, hard_links=self.hard_links)
        means = Means(disk or QuickDisk(), self.clock)
        return backup(self.source(), self.repository, settings, report or Silent(), means)

    def verify(self, level: Level = Level.RESTORE, disk: Disk | None = None) -> Verdict:
        means = Means(disk or QuickDisk(), self.clock)
        return verify(self.repository, level, Silent(), self.source(), means)

    @property
    def bytes(self) -> bytes:
        return self.data_fs.read_bytes()


def repozo(
    *arguments: object, python: str | Path = sys.executable
) -> "subprocess.CompletedProcess[str]":
    """Run repozo, at most a minute; what it says is in `stderr`.

    It names what it makes by the second, and makes nothing where another backup has the name.
    """
    if "-B" in arguments:
        repository = Path(str(arguments[arguments.index("-r") + 1]))
        eventually(lambda: not list(repository.glob(f"{time.strftime(SECOND, time.gmtime())}*")))
    return subprocess.run(
        [python, "-m", "ZODB.scripts.repozo", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def restored(repository: Path, target: Path, python: str | Path = sys.executable) -> bytes:
    """What `repozo -R` makes of a repository."""
    target.unlink(missing_ok=True)
    done = repozo("-R", "-r", repository, "-o", target, python=python)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def written_blobs(backup: Backup, target: Path) -> dict[str, str]:
    """A sum of each blob of a backup, all of them written below a directory and looked at."""
    with BlobCheck(backup.repository, Silent()) as check:
        faults = check.contents(backup)
        assert not faults, faults
    for path, blob in (blobs_of(backup) or {}).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(backup.repository / "blobs" / blob.place, target / path)
    found = tree(target)
    shutil.rmtree(target, ignore_errors=True)
    return found


def tree(directory: Path) -> dict[str, str]:
    """A sum of each file below a directory."""
    return {
        str(path.relative_to(directory)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
