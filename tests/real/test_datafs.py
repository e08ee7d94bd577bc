"""The Data.fs of real Zopes of every generation, read while they write to it and pack it."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.databases.counting import scanned
from tests.support.programs.commands import surroundings
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Known, Store

# For every ZODB from 3.10 on: undo the last transaction, then count, then pack both ways.
THEIR_NUMBERS = """
import sys, time
from ZODB.FileStorage import FileStorage
from ZODB.serialize import referencesf
try:
    from ZODB.Connection import TransactionMetaData
except ImportError:
    from transaction import Transaction as TransactionMetaData
storage = FileStorage(sys.argv[1])
if sys.argv[2] == "undo":
    undo = TransactionMetaData()
    storage.tpc_begin(undo)
    storage.undo(storage.undoLog(0, 1)[0]["id"], undo)
    storage.tpc_vote(undo)
    storage.tpc_finish(undo)
else:
    print(sum(1 for transaction in storage.iterator()))
    print(len(storage))
    size = storage.getSize()
    storage.pack(time.time() + 60, referencesf, gc=sys.argv[2] == "collect")
    print(size - storage.getSize())
storage.close()
"""


def theirs(zope: Environment, data_fs: Path, action: str) -> list[int]:
    """What the ZODB of an environment says: transactions, objects, and bytes a pack freed."""
    done = subprocess.run(
        [zope.script("python"), "-c", THEIR_NUMBERS, data_fs, action],
        env=surroundings(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return [int(line) for line in done.stdout.split()]


class Reader:
    def __init__(self, data_fs: Path, state: Path) -> None:
        self.followed = Followed(data_fs, Store(state, data_fs))
        self.rescan = Rescan(self.followed)

    def known(self) -> Known:
        known, problems = self.followed.look()
        assert problems == []
        return known

    def scan(self) -> Known:
        while self.rescan.step():
            pass
        assert self.rescan.problem is None
        return self.known()

    def counted(self) -> int:
        counted = self.known().counted
        assert counted is not None
        return counted.transactions


def pack(zope: ZopeInstance) -> None:
    data_fs = zope.home / "var/Data.fs"
    before = data_fs.stat().st_ino
    for path in ("/Control_Panel/Database/main/manage_pack", "/Control_Panel/Database/manage_pack"):
        if zope.site.post(path, {"days:float": "0"}).status_code < 400:
            break
    eventually(lambda: data_fs.exists() and data_fs.stat().st_ino != before)


def test_numbers_are_those_of_the_zope_that_wrote_it(
    any_zope: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    zope = start_zope(any_zope)
    data_fs = zope.home / "var/Data.fs"
    reader = Reader(data_fs, tmp_path / "state.sqlite3")
    reader.scan()
    before = reader.counted()
    zope.site.commit([f"news{number}" for number in range(20)], "some text" * 1000)
    assert reader.counted() == before + 20
    pack(zope)
    assert reader.counted() == before + 20
    zope.site.commit(["last1", "last2"])
    zope.site.post("/manage_delObjects", {"ids:list": "news7"})
    assert reader.counted() == before + 23
    known = reader.scan()
    assert known.findings is not None
    assert known.findings.classes["OFS.DTMLMethod.DTMLMethod"] > 20 * 9000
    assert known.totals is not None
    assert known.totals.packed

    copy = tmp_path / "copy.fs"
    shutil.copy(data_fs, copy)
    theirs(any_zope, copy, "undo")
    copy.with_name("copy.fs.index").rename(tmp_path / "undone.fs.index")
    scan = scanned(copy)
    totals, contents = scan.full_count.totals(), scan.contents
    assert contents is not None
    assert contents.unreachable is not None
    for action, garbage in [
        ("keep", totals.superseded),
        ("collect", totals.superseded + contents.unreachable),
    ]:
        packed = tmp_path / f"{action}.fs"
        shutil.copy(copy, packed)
        assert theirs(any_zope, packed, action) == [totals.transactions, totals.objects, garbage]
    shutil.copy(copy, tmp_path / "undone.fs")
    assert scanned(tmp_path / "undone.fs").full_count.totals() == totals
