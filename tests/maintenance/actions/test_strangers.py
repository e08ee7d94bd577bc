"""What another user pretends is neither backed up nor packed, and stops nobody's backups or packs.

The attacks of tests/discovery/test_strangers.py, by the commands of root that cron would run.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.databases.maintained import write_token
from tests.support.databases.packing import make_database
from tests.support.faults.rights import NOBODY, public_directory
from tests.support.programs.exporter import zope_exporter
from tests.support.zopes.strangers import ZOPE, SharedHost
from zope_exporter.maintenance.jobs.store import JobStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

SECRET = b"what nobody but root may read"
Fake = AbstractContextManager["subprocess.Popen[str]"]


class Host(SharedHost):
    """With a database that is backed up and packed, and one of root's that is nobody's business."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.data_fs.unlink()
        make_database(self.data_fs)
        self.data_fs.with_name("Data.fs.lock").unlink()
        self.give("good", ZOPE)
        self.private = directory / "private"
        self.private.mkdir(mode=0o700)
        make_database(self.private / "Data.fs", revisions=2)
        with (self.private / "Data.fs").open("ab") as file:
            file.write(SECRET)
        self.repository = directory / "backups"
        self.config = directory / "zope-exporter.yml"
        write_token(directory / "token")
        self.config.write_text(
            "actions: {token_file: token, pack: {days: 0}}\n"
            "sites:\n"
            "  - name: good\n"
            f"    instances: [{{zope_conf: {self.good}/etc/zope.conf}}]\n"
            "    backup: {repository: backups}\n"
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return zope_exporter(*arguments, "--config.file", self.config, state_dir=self.directory)

    def secrets(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.private.rglob("*")}

    def databases(self) -> set[str]:
        """What was ever backed up or packed with success."""
        jobs = JobStore(self.directory / "state.sqlite3").jobs()
        return {job.task.database for job in jobs if job.state == "succeeded"}


@pytest.fixture
def host() -> Iterator[Host]:
    with public_directory() as directory:
        yield Host(directory)


def process(host: Host) -> Fake:
    return host.start(host.good / "etc/zope.ini", NOBODY)


def directory(host: Host) -> Fake:
    storage = f"<filestorage>\npath {host.private}/Data.fs\n</filestorage>"
    return host.start(host.instance("home/nobody/good", NOBODY, storage), NOBODY)


def mounts(host: Host) -> Fake:
    storage = (
        f"<filestorage>\npath {host.data_fs}\n</filestorage>\nmount-point /x\n</zodb_db>\n"
        f"<zodb_db more>\n<filestorage>\npath {host.private}/Data.fs\n</filestorage>"
    )
    return host.start(host.instance("fake", NOBODY, storage), NOBODY)


def own_data(host: Host) -> Fake:
    """All of it is the stranger's, but the name."""
    return host.start(host.instance("home/nobody/good", NOBODY), NOBODY)


@pytest.mark.parametrize("attack", [process, directory, mounts, own_data])
def test_it_is_as_if_the_stranger_were_not_there(
    host: Host, attack: Callable[[Host], Fake]
) -> None:
    before = host.secrets()
    with attack(host):
        _maintain(host)
        named = host.run("pack", "good", "--database", "x-good-main")
    assert named.returncode == 3, named.stderr
    # And once it is only remembered.
    _maintain(host, ("pack", "backup"))
    assert host.databases() == {"main"}
    assert host.secrets() == before
    kept = b"".join(path.read_bytes() for path in host.repository.rglob("*") if path.is_file())
    assert SECRET not in kept
    assert not (host.repository / "databases").exists()


def test_nobody_can_have_what_is_not_theirs_packed_as_a_site_of_their_own(host: Host) -> None:
    before = host.secrets()
    storage = f"<filestorage>\npath {host.private}/Data.fs\n</filestorage>"
    with host.start(host.instance("fake", NOBODY, storage), NOBODY):
        run = host.run("pack", "fake")
    again = host.run("pack", "fake")
    assert (run.returncode, again.returncode) == (3, 3), run.stdout + again.stdout
    assert host.secrets() == before


def _maintain(host: Host, commands: Sequence[str] = ("backup", "pack", "verify")) -> None:
    for command in commands:
        run = host.run(command, "good")
        assert run.returncode == 0, run.stderr
