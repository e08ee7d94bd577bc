"""A restore, a recovery and a rescue of which each single system call fails in turn."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.databases.packing import blob_dir_of, commit_more, digest, items, make_database
from tests.support.faults.small_disk import emptied, small_disk_at
from tests.support.faults.system_calls import Call, Run, calls_of, refused
from tests.support.programs.debian import tool
from tests.support.programs.require import require
from zope_exporter.maintenance.jobs.report import ActionError, Silent
from zope_exporter.maintenance.recover.recover import recover
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.rescue import rescue
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource

ERRORS = ["EIO", "ENOSPC"]
# Whatever they are of, nothing that was to be done is done without them.
NEEDED = {"copy_file_range", "fdatasync", "fsync", "link", "pwrite64", "read", "rename", "write"}


def blobs_of(blob_dir: Path) -> dict[str, bytes]:
    """Those that ZODB can find."""
    paths = [path for name in blob_dir.glob("0x*") for path in name.rglob("*.blob")]
    return {str(path.relative_to(blob_dir)): path.read_bytes() for path in paths}


def make_backup(root: Path, layout: str) -> Path:
    data_fs = root / "backup/Data.fs"
    blob_dir = blob_dir_of(data_fs)
    blob_dir.mkdir(parents=True)
    blob_dir.joinpath(".layout").write_text(layout)
    make_database(data_fs, revisions=2, blobs=2)
    return data_fs


@pytest.fixture(scope="module")
def strace() -> Path:
    return require(tool, "strace")


def test_reads_of_files_of_the_kernel_change_no_number(strace: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    often = [3]

    def work() -> None:
        kernel = os.open("/proc/self/status", os.O_RDONLY)
        for _ in range(often[0]):
            os.pread(kernel, 10, 0)
        descriptor, place = os.open(file, os.O_RDONLY), 0
        try:
            for place in range(4):
                os.pread(descriptor, 1, place)
        except OSError as error:
            raise ActionError("reading", f"{place}") from error

    calls = [call for call in calls_of(strace, tmp_path, work) if call.name == "pread64"]
    assert [call.number for call in calls] == [1, 2, 3, 4]
    for often[0] in (3, 9, 0):
        assert [refused(strace, call, "EIO", work).error for call in calls] == [
            "reading: 0",
            "reading: 1",
            "reading: 2",
            "reading: 3",
        ]


def each_refused(
    strace: Path, root: Path, error: str, work: Callable[[], object], looking: bool
) -> Iterator[tuple[Call, Run]]:
    """Have each system call of some work below `root` fail, what is there being as before.

    Those that only look are passed over unless `looking`; of them none fails for lack of room, and
    of those alike, such as all reads of one file, the first and the last are refused.
    """
    original = root.with_name("original")
    shutil.copytree(root, original)

    def as_before() -> None:
        emptied(root)
        shutil.copytree(original, root, dirs_exist_ok=True)

    calls = require(calls_of, strace, root, work)
    alike = {(call.name, call.file): call for call in reversed(calls)}  # the first
    ends = {*alike.values(), *{(call.name, call.file): call for call in calls}.values()}
    for call in calls:
        if call.changes or (looking and call in ends):
            run = refused(strace, call, error, work, as_before)
            assert str(root) in run.injected[0], (call, run.injected)
            # As it was this time: a name can have the id of the process in it.
            yield replace(call, text=run.injected[0]), run


def check_named(call: Call, error: str) -> None:
    """Python itself tells no name where a file is open."""
    assert call.open_file in error, (call, error)
    assert "None" not in error, (call, error)


def check_success(call: Call) -> None:
    """Only what does not matter may be refused and still all be well."""
    assert call.name not in NEEDED, call
    assert not (call.name == "close" and call.open_file.endswith(".restoring")), call


def check_told(call: Call, run: Run) -> None:
    if run.error is None:
        check_success(call)
    else:
        check_named(call, run.error)


def restore_at(data_fs: Path, stamp: str) -> None:
    backup = data_fs.parents[1] / "backup/Data.fs"
    source = FileSource(backup, blob_dir_of(backup))
    restore(source, Place(data_fs, blob_dir_of(data_fs), stamp, headroom=0), Silent())


# Each error and each place once: neither changes what the other does.
@pytest.mark.parametrize(("error", "mounted"), [("EIO", False), ("ENOSPC", True)])
def test_promise_4_a_restore_of_which_any_system_call_fails_leaves_the_old_or_the_new(
    strace: Path, tmp_path: Path, error: str, mounted: bool
) -> None:
    root = tmp_path / "root"
    site = make_backup(root, "lawn").parents[1] / "site/Data.fs"
    site.parent.mkdir()
    with small_disk_at(blob_dir_of(site)) if mounted else nullcontext():
        check_restores(strace, root, error, mounted)


def check_restores(strace: Path, root: Path, error: str, mounted: bool) -> None:
    backup, site = root / "backup/Data.fs", root / "site/Data.fs"
    shutil.copytree(backup.parent, site.parent, dirs_exist_ok=True)
    commit_more(site)
    packed = max(blob_dir_of(backup).rglob("*.blob")).relative_to(backup.parent)
    (site.parent / packed).unlink()  # a restore copies it
    states = {digest(site): items(site), digest(backup): items(backup)}
    old, new = states
    old_blobs, new_blobs = blobs_of(blob_dir_of(site)), blobs_of(blob_dir_of(backup))
    kept, kept_blobs = (site.with_name(f"{name}.before-restore-1") for name in ("Data.fs", "blobs"))
    if mounted:
        kept_blobs = blob_dir_of(site) / ".before-restore-1"
    outcomes: Counter[bool] = Counter()
    looking = error == "EIO" and not mounted  # that takes long, and sees nothing of the difference
    for call, run in each_refused(strace, root, error, lambda: restore_at(site, "1"), looking):
        outcomes[run.error is None] += 1
        now = digest(site)
        assert items(site) == states[now], call
        if kept_blobs.exists():
            assert blobs_of(kept_blobs) == old_blobs, call
        if now == new:
            assert digest(kept) == old, call
            assert kept_blobs.exists(), call
        check_told(call, run)
        if run.error is None:
            assert now == new, call
            assert blobs_of(blob_dir_of(site)) == new_blobs, call
        else:
            assert ("is the restored one" in run.error) == (now == new), (call, run.error)
        if call.changes:  # else nothing is otherwise than before it
            restore_at(site, "2")
            assert digest(site) == new, call
            assert blobs_of(blob_dir_of(site)) == new_blobs, call
        assert not list(site.parent.rglob("*.restoring*")), call
    assert outcomes[False] > (200 if looking else 40)


@pytest.mark.parametrize("error", ERRORS)
def test_promise_4_a_restore_to_a_new_place_of_which_any_system_call_fails_can_be_run_again(
    strace: Path, tmp_path: Path, error: str
) -> None:
    root = tmp_path / "root"
    backup, new = make_backup(root, "bushy"), root / "new/Data.fs"
    new.parent.mkdir()
    wanted, blobs = digest(backup), blobs_of(blob_dir_of(backup))
    outcomes: Counter[bool] = Counter()
    for call, run in each_refused(strace, root, error, lambda: restore_at(new, "1"), False):
        outcomes[run.error is None] += 1
        check_told(call, run)
        if run.error is None:
            assert blobs_of(blob_dir_of(new)) == blobs, call
        if run.error is None or new.exists():
            assert digest(new) == wanted, call
            assert items(new) == items(backup), call
        restore_at(new, "2")
        assert digest(new) == wanted, call
        assert blobs_of(blob_dir_of(new)) == blobs, call
        assert not list(new.parent.rglob("*.restoring*")), call
    assert outcomes[False] > 60


@pytest.mark.parametrize("error", ERRORS)
def test_a_recovery_of_which_any_system_call_fails_only_reads_the_original(
    strace: Path, tmp_path: Path, error: str
) -> None:
    root = tmp_path / "root"
    damaged, output = root / "site/Data.fs", root / "site/recovered.fs"
    damaged.parent.mkdir(parents=True)
    make_database(damaged, revisions=3)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    before = digest(damaged)
    recover(damaged, output, Silent())
    wanted = digest(output)
    output.unlink()
    outcomes: Counter[bool] = Counter()
    for call, run in each_refused(
        strace, root, error, lambda: recover(damaged, output, Silent()), error == "EIO"
    ):
        outcomes[run.error is None] += 1
        assert digest(damaged) == before, call
        check_told(call, run)
        if run.error is None:
            assert output.exists(), call
        if output.exists():
            assert digest(output) == wanted, call
        left = {path.name for path in damaged.parent.glob("recovered.fs.*")}
        assert not left or call.name == "unlink", call
    assert outcomes[False] > (15 if error == "EIO" else 6)


@pytest.mark.parametrize("error", ERRORS)
def test_promise_8_a_rescue_of_which_any_system_call_fails_leaves_a_whole_file(
    strace: Path, tmp_path: Path, error: str
) -> None:
    root = tmp_path / "root"
    data_fs = root / "site/Data.fs"
    data_fs.parent.mkdir(parents=True)
    make_database(data_fs, revisions=2)
    pack, old = (data_fs.with_name(data_fs.name + end) for end in (".pack", ".old"))
    shutil.copy(data_fs, old)
    data_fs.rename(pack)
    wanted = digest(old)
    outcomes: Counter[bool] = Counter()
    for call, run in each_refused(
        strace, root, error, lambda: rescue(data_fs, Silent()), error == "EIO"
    ):
        outcomes[run.error is None] += 1
        assert data_fs.exists() or (pack.exists() and old.exists())
        if run.error is None:
            check_success(call)
            assert data_fs.exists(), call
        if not data_fs.exists():
            rescue(data_fs, Silent())
        assert digest(data_fs) == wanted, call
    assert outcomes[False] > (12 if error == "EIO" else 6)
