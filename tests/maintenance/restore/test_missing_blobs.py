"""Databases that lack a blob: what was proven is restored, by each way there is to it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases.maintained import Host
from tests.support.databases.packing import blob_dir_of, digest
from tests.support.databases.repository import repozo
from tests.support.databases.restoring import file_of, opened_blobs
from zope_exporter.maintenance.backup.pool import place_of
from zope_exporter.maintenance.backup.repository import read_repository

Given = tuple[str | Path, ...]


class Lossy(Host):
    """A site that lost the file of a blob which its root refers to, backed up and proven."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.lost = file_of(self.data_fs, "blob-1")
        self.lost.unlink()
        self.blobs = blob_dir_of(self.data_fs)
        self.wanted = opened_blobs(self.data_fs)
        assert self.wanted == {"blob-1": None, "blob-3": b"3" * 1000}
        made = self.run("backup")
        assert made.returncode == 0, made.stderr
        assert "verified: restore" in made.stdout
        assert self.lost.name in made.stderr

    def restore(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return self.run("restore", *map(str, arguments), "--go-by-the-lock")

    def copies(self, where: Path) -> tuple[Path, Path]:
        shutil.copytree(self.data_fs.parent, where)
        return where / "Data.fs", where / "blobs"


@pytest.fixture
def lossy(tmp_path: Path) -> Lossy:
    return Lossy(tmp_path)


def own(lossy: Lossy) -> Given:
    return (lossy.repository,)


def repozo_s(lossy: Lossy) -> Given:
    repository, copy = lossy.directory / "repozo", lossy.directory / "copied"
    repository.mkdir()
    made = repozo("-B", "-F", "-z", "-r", repository, "-f", lossy.data_fs)
    assert made.returncode == 0, made.stderr
    return repository, "--blobs", lossy.copies(copy)[1]


def copied(lossy: Lossy) -> Given:
    data_fs, blobs = lossy.copies(lossy.directory / "copied")
    return data_fs, "--blobs", blobs


def recovered(lossy: Lossy) -> Given:
    data_fs, blobs = lossy.copies(lossy.directory / "copied")
    output = lossy.directory / "recovered.fs"
    done = lossy.run("recover", str(data_fs), str(output))
    assert done.returncode == 0, done.stderr
    return output, "--blobs", blobs


@pytest.mark.parametrize("made", [own, repozo_s, copied, recovered])
def test_what_the_database_lacked_is_named_and_all_else_restored(
    lossy: Lossy, made: Callable[[Lossy], Given]
) -> None:
    given, wanted = made(lossy), digest(lossy.data_fs)
    new = lossy.directory / "new/Data.fs"
    new.parent.mkdir()
    for target in (new, lossy.data_fs):
        done = lossy.restore(*given, target, "--blob-dir", blob_dir_of(target))
        assert done.returncode == 0, done.stderr
        assert digest(target) == wanted
        assert opened_blobs(target) == lossy.wanted
        [named] = [line for line in done.stderr.splitlines() if "missing: the blob" in line]
        assert lossy.lost.name in named
        assert "of object 0x" in named
        assert f"{target} is the restored one" in done.stderr.splitlines()[-1]


def test_after_the_loss_of_the_data_fs_what_was_proven_is_put_back(lossy: Lossy) -> None:
    wanted = digest(lossy.data_fs)
    lossy.data_fs.unlink()
    done = lossy.restore(lossy.repository, lossy.data_fs, "--blob-dir", lossy.blobs)
    assert done.returncode == 0, done.stderr
    assert digest(lossy.data_fs) == wanted
    assert opened_blobs(lossy.data_fs) == lossy.wanted
    assert f"{lossy.data_fs} is the restored one" in done.stderr.splitlines()[-1]


def test_a_blob_that_only_the_site_has_stays_there(lossy: Lossy) -> None:
    """It was not there when the backup was made, and was brought back since."""
    lossy.lost.write_bytes(b"1" * 1000)
    done = lossy.restore(lossy.repository, lossy.data_fs, "--blob-dir", lossy.blobs)
    assert done.returncode == 0, done.stderr
    assert opened_blobs(lossy.data_fs) == {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}
    assert "missing: the blob" not in done.stderr


def test_a_lost_blob_that_no_object_leads_to_is_no_matter(tmp_path: Path) -> None:
    """A verification passes it without a word, and so does a restore."""
    host = Host(tmp_path)
    forgotten = list(blob_dir_of(host.data_fs).rglob("*.blob"))
    for name in ("blob-1", "blob-3"):
        forgotten.remove(file_of(host.data_fs, name))
    forgotten[0].unlink()
    made = host.run("backup")
    assert made.returncode == 0, made.stderr
    shutil.rmtree(host.data_fs.parent)
    host.data_fs.parent.mkdir()
    done = host.run(
        "restore", str(host.repository), str(host.data_fs), "--go-by-the-lock",
        "--blob-dir", str(blob_dir_of(host.data_fs)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert opened_blobs(host.data_fs) == {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}
    assert "missing" not in done.stderr


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    made = host.run("backup")
    assert made.returncode == 0, made.stderr
    return host


def in_pool(host: Host, name: Path) -> Path:
    return host.repository / "blobs" / place_of(str(name))


def test_the_data_fs_alone_can_be_had_of_a_site_with_blobs(host: Host) -> None:
    safe = host.directory / "safe/Data.fs"
    safe.parent.mkdir()
    done = host.run("restore", str(host.repository), str(safe))
    assert done.returncode == 0, done.stderr
    assert digest(safe) == digest(host.data_fs)
    assert "the 2 blobs that its objects have were left out" in done.stderr
    assert f"they are in {host.repository}" in done.stderr
    assert "--blob-dir" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert f"{safe} is the restored one; nothing was there before" in last
    assert {path.name for path in safe.parent.iterdir()} == {"Data.fs", "Data.fs.lock"}


def test_a_blob_that_the_backup_lost_fails_unless_that_is_accepted(host: Host) -> None:
    name = file_of(host.data_fs, "blob-1").relative_to(blob_dir_of(host.data_fs))
    path = in_pool(host, name)
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + b"x")
    new = host.directory / "new/Data.fs"
    new.parent.mkdir()
    arguments = ("restore", str(host.repository), str(new), "--blob-dir", str(blob_dir_of(new)))
    failed = host.run(*arguments)
    assert failed.returncode == 1
    assert str(name) in failed.stderr
    assert "no other backup of that time or before is whole" in failed.stderr
    assert f"{new} is not there" in failed.stderr
    assert {path.name for path in new.parent.iterdir()} == {"Data.fs.lock"}
    accepted = host.run(*arguments, "--accept-missing-blobs")
    assert accepted.returncode == 0, accepted.stderr
    assert f"left out: the blob {name}: its SHA-256 sum is not that of the list" in accepted.stderr
    assert opened_blobs(new) == {"blob-1": None, "blob-3": b"3" * 1000}


def test_a_layout_that_was_lost_is_written_anew(tmp_path: Path) -> None:
    """`cp -r blobs/* NEW` leaves it behind, and then ZODB looks for blobs where they are not."""
    host = Host(tmp_path)
    (blob_dir_of(host.data_fs) / ".layout").unlink()
    made = host.run("backup")
    assert made.returncode == 0, made.stderr
    new = tmp_path / "new/Data.fs"
    new.parent.mkdir()
    done = host.run("restore", str(host.repository), str(new), "--blob-dir", str(blob_dir_of(new)))
    assert done.returncode == 0, done.stderr
    assert opened_blobs(new) == {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}


def test_blobs_in_the_other_layout_come_to_where_zodb_looks_for_them(host: Host) -> None:
    """Verification finds a blob by either path."""
    blobs = host.directory / "given"
    shutil.copytree(blob_dir_of(host.data_fs), blobs)
    moved = file_of(host.data_fs, "blob-3").relative_to(blob_dir_of(host.data_fs))
    oid = int("".join(part.removeprefix("0x") for part in moved.parts[:-1]), 16)
    (blobs / f"0x{oid:02x}").mkdir()
    (blobs / moved).rename(blobs / f"0x{oid:02x}" / moved.name)
    done = host.run(
        "restore", str(host.repository), str(host.data_fs), "--go-by-the-lock",
        "--blobs", str(blobs), "--blob-dir", str(blob_dir_of(host.data_fs)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert opened_blobs(host.data_fs) == {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}


def test_repozo_s_piece_has_the_blobs_of_our_backup_before_it(host: Host) -> None:
    made = repozo("-B", "-F", "-r", host.repository, "-f", host.data_fs)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(host.data_fs.parent)
    host.data_fs.parent.mkdir()
    done = host.run(
        "restore", str(host.repository), str(host.data_fs),
        "--blob-dir", str(blob_dir_of(host.data_fs)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [list_file] = host.repository.glob("*.blobs")
    assert f"the blobs are those of the backup {list_file.stem}" in done.stderr
    assert opened_blobs(host.data_fs) == {"blob-1": b"1" * 1000, "blob-3": b"3" * 1000}


def test_without_any_of_the_blobs_it_is_a_wrong_directory(host: Host) -> None:
    new = host.directory / "new/Data.fs"
    (new.parent / "empty").mkdir(parents=True)
    done = host.run("restore", str(host.data_fs), str(new), "--blob-dir", str(blob_dir_of(new)))
    assert done.returncode == 1
    assert "all 2 blobs that the Data.fs needs are missing" in done.stderr
    assert "--blobs" in done.stderr
    assert f"{new} is not there" in done.stderr
    assert not blob_dir_of(new).exists()


def test_verify_and_restore_say_the_same_of_one_backup(lossy: Lossy) -> None:
    verified = lossy.run("verify")
    assert verified.returncode == 0, verified.stderr
    newest = read_repository(lossy.repository).newest
    assert newest is not None
    assert newest.proven
    blob = r"0x[0-9a-f]{16}\.blob"
    told = set(re.findall(blob, verified.stderr))
    new = lossy.directory / "new/Data.fs"
    new.parent.mkdir()
    done = lossy.restore(lossy.repository, new, "--blob-dir", blob_dir_of(new))
    assert done.returncode == 0, done.stderr
    assert set(re.findall(blob, done.stderr)) == told == {lossy.lost.name}
