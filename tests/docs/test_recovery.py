"""The page for a lost Data.fs, followed word for word on a ZEO server with blobs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ZODB.FileStorage import FileIterator

from tests.support.programs.documented import run_by
from tests.support.programs.sandbox import Sandbox, lines, without_proof_of_processes
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment

BLOCKS = run_by("tests/docs/test_recovery.py")
OWN = Environment("own", Path(sys.prefix))
CONFIG = """\
discover: false
sites:
  - name: intranet
    zeo: [{conf: /srv/zope/var/zeo.conf}]
    backup: {repository: /backup/intranet}
"""
# A client as a Zope is one: what is named is stored in an object and a blob, then all is read.
CLIENT = """\
import json, sys, tempfile
import transaction, ZODB
from persistent.mapping import PersistentMapping
from ZEO.ClientStorage import ClientStorage
from ZODB.blob import Blob
with tempfile.TemporaryDirectory() as directory:
    address = ("127.0.0.1", int(sys.argv[1]))
    storage = ClientStorage(address, storage="main", blob_dir=directory, wait_timeout=30)
    database = ZODB.DB(storage)
    root = database.open().root()
    for name in sys.argv[2:]:
        root[name] = PersistentMapping(title=name, image=Blob(name.encode() * 1000))
        transaction.commit()
    print(json.dumps({name: [page["title"], page["image"].open().read().decode()[:99]]
                      for name, page in root.items()}))
    database.close()
"""

Content = dict[str, list[str]]


class Server(ZeoServer):
    """One storage, at the path that the page has."""

    def data_fs(self, _storage: str = "main") -> Path:
        return self.home / "Data.fs"


class Site:
    """A ZEO server that is backed up, and its clients."""

    def __init__(self, sandbox: Sandbox, ending: ExitStack) -> None:
        self.sandbox = sandbox
        self._ending = ending
        home = sandbox.path("/srv/zope/var")
        home.rmdir()
        self.server = Server(OWN, home, ("main",), storage_settings=f"blob-dir {home}/blobstorage")
        config = sandbox.path("/etc/zope-exporter/config.yml")
        config.write_text(sandbox.here(CONFIG))

    def start(self) -> None:
        self._ending.enter_context(self.server)

    def pages(self, *new: str) -> Content:
        """What visitors see, after these were added."""
        command = [sys.executable, "-c", CLIENT, str(self.server.port), *new]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        found: Content = json.loads(done.stdout)
        return found

    def follow(self, part: str, good: tuple[int, ...] = (0,)) -> str:
        """Run the block that has this in it; what it prints."""
        (block,) = (block for block in BLOCKS if part in block.text)
        printed = ""
        for line in lines(block.text):
            done = self.sandbox.run(without_proof_of_processes(line))
            assert done.returncode in good, f"{line}\n{done.stdout}{done.stderr}"
            printed += done.stdout + done.stderr
        return printed

    def back_up(self) -> None:
        backup = "zope-exporter backup --config.file /etc/zope-exporter/config.yml"
        done = self.sandbox.run(backup)
        assert done.returncode == 0, done.stderr

    def lose(self) -> None:
        """Remove the Data.fs and all of its blobs."""
        for path in self.server.home.glob("Data.fs*"):
            path.unlink()
        blobs = self.server.home / "blobstorage"
        for path in blobs.rglob("*.blob"):
            path.unlink()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as ending:
        yield Site(Sandbox(tmp_path / "host"), ending)


@pytest.fixture
def content(site: Site) -> Content:
    """What was backed up, by a full and an incremental backup; the server is stopped."""
    site.start()
    site.pages("one", "two")
    site.back_up()
    content = site.pages("three")
    site.back_up()
    site.server.stop()
    assert len(content) == 3
    return content


def test_the_data_come_back_from_the_backup(site: Site, content: Content) -> None:
    site.lose()
    assert "Data.fs" not in site.follow("ls -l /srv/zope/var").split("blobstorage:")[0]
    site.follow("restore --dry-run")
    assert not site.server.data_fs().exists()
    last = site.follow("restore /backup/intranet").splitlines()[-1]
    assert str(site.server.data_fs()) in last
    site.start()
    assert site.pages() == content
    site.follow("zope-exporter backup ", (0, 1))  # `check` warns, as no page is probed
    assert site.pages("four").keys() == content.keys() | {"four"}


def test_an_empty_one_that_a_start_has_made_gives_way(site: Site, content: Content) -> None:
    site.lose()
    site.start()
    assert site.pages() == {}
    site.server.stop()
    site.follow("restore /backup/intranet")
    assert list(site.server.home.glob("Data.fs.before-restore-*"))
    site.start()
    assert site.pages() == content


def test_a_file_that_is_still_open_is_copied_to_the_last_commit(
    site: Site, content: Content
) -> None:
    site.start()
    later = site.pages("after the backup")
    data_fs = site.server.data_fs()
    whole = data_fs.read_bytes()
    data_fs.unlink()
    printed = site.follow("grep 'Data.fs (deleted)'")
    rescued = site.sandbox.path("/backup/Data.fs.rescued")
    open_file, *_ = re.findall(rf"(/proc/{site.server.pid}/fd/\d+) -> {data_fs} ", printed)
    rescued.write_bytes(Path(open_file).read_bytes())
    site.server.stop()
    assert rescued.read_bytes() == whole
    blobs = "--blobs /srv/zope/var/blobstorage --blob-dir /srv/zope/var/blobstorage"
    line = f"zope-exporter restore /backup/Data.fs.rescued /srv/zope/var/Data.fs {blobs}"
    done = site.sandbox.run(without_proof_of_processes(line))
    assert done.returncode == 0, done.stderr
    site.start()
    assert site.pages() == later
    assert later.keys() > content.keys()


def test_a_pack_that_was_killed_is_ended(site: Site, content: Content) -> None:
    data_fs = site.server.data_fs()
    data_fs.with_name("Data.fs.old").write_bytes(data_fs.read_bytes())
    data_fs.rename(data_fs.with_name("Data.fs.pack"))
    assert "Data.fs.pack" in site.follow("--rescue-pack")
    site.start()
    assert site.pages() == content


def test_without_a_backup_all_that_is_intact_comes_back(site: Site, content: Content) -> None:
    data_fs = site.server.data_fs()
    *_, last = FileIterator(str(data_fs))
    with data_fs.open("r+b") as stream:
        stream.seek(last._tpos)
        stream.write(b"\xff" * 300)
    assert "lost" in site.follow("zope-exporter recover /srv/zope/var/Data.fs /backup", (0, 1))
    site.start()
    left = site.pages()
    assert left == {name: content[name] for name in ("one", "two")}
