import fcntl
from pathlib import Path

import pytest

from tests.support.faults.odd_files import ODD
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
