import fcntl
from pathlib import Path

import pytest

from tests.support.faults.odd_files import ODD
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.storage.filestorage.open_files import holders


def is_locked(data_fs: Path) -> bool:
    """Told by the lock alone: there are no processes to look at."""
    nothing = data_fs.with_name("proc")
    nothing.mkdir(exist_ok=True)
    return holders(data_fs, nothing).locked


def test_a_lock_counts_while_it_is_held(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    assert not is_locked(data_fs)
    with (tmp_path / "Data.fs.lock").open("w") as lock:
        assert not is_locked(data_fs)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_locked(data_fs)
    assert not is_locked(data_fs)


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "socket"])
def test_what_is_no_lock_file_is_taken_for_a_lock_without_waiting(
    tmp_path: Path, kind: str
) -> None:
    ODD[kind](tmp_path / "Data.fs.lock")
    assert is_locked(tmp_path / "Data.fs")


READER = """
import sys
from pathlib import Path
from zope_exporter.storage.filestorage import datafile
path, how = Path(sys.argv[1]), sys.argv[2]
if how == "look":
    with datafile.opened(path):
        print("ready", flush=True)
        sys.stdin.read()
with path.open(how):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(("how", "counts"), [("look", False), ("rb", True), ("r+b", True)])
def test_who_only_looks_into_a_file_does_not_use_it(tmp_path: Path, how: str, counts: bool) -> None:
    """An exporter that scans it for hours, beside repozo that copies it, and Zope."""
    data_fs = tmp_path / "Data.fs"
    data_fs.touch()
    with child(READER, str(data_fs), how) as reader:
        lines_until_ready(reader)
        assert (reader.pid in holders(data_fs).pids) == counts
