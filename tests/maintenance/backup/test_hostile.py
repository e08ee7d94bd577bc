"""A repository into which somebody has put what we never write: it is named, and harms nobody."""

import os
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.databases.blobs import make_blobs
from tests.support.databases.repository import Site, repozo, restored, written_blobs
from tests.support.faults.disk import QuickDisk
from zope_exporter.maintenance.backup.checksummed_json import checksummed
from zope_exporter.maintenance.backup.manifest import FORMAT
from zope_exporter.maintenance.backup.repository import read_repository
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError

FIFO_FOR = (".manifest", ".dat", ".blobs", ".verified", ".current", ".fs")
IMPOSSIBLE: tuple[object, ...] = (
    None,
    "x",
    -1,
    1 << 80,
    float("inf"),
    float("nan"),
    1e300,
    [],
    [None],
    {"a": 1},
)


@pytest.fixture
def with_blobs(site: Site) -> Site:
    site.data_fs.unlink()
    site.blob_dir = site.data_fs.parent / "blobs"
    make_blobs(site.data_fs, site.blob_dir, 2)
    return site


@pytest.mark.parametrize("suffix", FIFO_FOR)
@pytest.mark.parametrize("how", ["fifo", "link"])
def test_what_would_hang_whoever_opens_it_is_no_file(
    with_blobs: Site, suffix: str, how: str
) -> None:
    for _ in range(2):
        with_blobs.back_up()
        with_blobs.verify()
    [path] = with_blobs.repository.glob(f"*{suffix}")
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    read_repository(with_blobs.repository)
    verdict = with_blobs.verify()
    assert any(path.stem in failure for failure in verdict.failures), verdict.failures


def test_a_fifo_among_the_blobs_is_named(with_blobs: Site) -> None:
    with_blobs.back_up()
    [blob, *_] = sorted((with_blobs.repository / "blobs").rglob("*.blob"))
    blob.unlink()
    os.mkfifo(blob)
    assert any(blob.name in failure for failure in with_blobs.verify().failures)


def test_no_manifest_breaks_the_list_of_the_others(site: Site) -> None:
    site.back_up()
    [backup] = read_repository(site.repository).backups
    assert backup.manifest
    good = {"format": FORMAT, **asdict(backup.manifest)}
    path = site.repository / f"{backup.stamp}.manifest"
    bad = [{key: value for key, value in good.items() if key != left_out} for left_out in good]
    bad += [{**good, key: value} for key in good for value in IMPOSSIBLE]
    for kind in ("pieces", "marks"):
        for key in good[kind][0]:
            bad += [{**good, kind: [{**good[kind][0], key: value}]} for value in IMPOSSIBLE]
    for contents in bad:
        path.write_bytes(checksummed(contents))
        [backup] = read_repository(site.repository).backups
        assert backup.covered < 1e11
    site.verify()
    assert site.back_up().kind == "full" or site.verify().ok


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize("suffix", [".current", ".verified"])
def test_no_time_of_a_proof_breaks_the_list(site: Site, suffix: str, value: object) -> None:
    for _ in range(2):
        site.back_up()
        site.verify()
    [path] = site.repository.glob(f"*{suffix}")
    contents = {"stamp": path.name.removesuffix(suffix), "time": value, "tid": 0}
    if suffix == ".verified":
        contents = contents | {"level": "restore", "failures": (), "pieces": ()}
        del contents["tid"]
    path.write_bytes(checksummed(contents))
    for backup in read_repository(site.repository).backups:
        assert backup.covered < 1e11
        assert not (suffix == ".verified" and backup.proven)


def test_numbers_without_an_end_are_no_line(site: Site) -> None:
    site.back_up()
    [dat] = site.repository.glob("*.dat")
    dat.write_text(dat.read_text().replace(" 0 ", f" {'9' * 5000} "))
    assert not site.verify().ok


def test_a_piece_that_was_replaced_after_the_proof_is_not_proven(site: Site) -> None:
    """A pack must not be allowed by the proof of what is no longer there."""
    site.back_up()
    assert site.verify().ok
    [before] = read_repository(site.repository).backups
    assert before.proven
    [piece] = site.repository.glob("*.fs")
    piece.write_bytes(bytes(piece.stat().st_size))
    [after] = read_repository(site.repository).backups
    assert not after.proven
    assert not site.verify().ok


@pytest.mark.parametrize("path", ["../../../victim", "/victim", "0x00/../../../victim"])
def test_no_path_leads_out_of_the_repository(with_blobs: Site, path: str) -> None:
    with_blobs.back_up()
    [backup] = read_repository(with_blobs.repository).backups
    assert backup.manifest
    assert backup.manifest.blobs
    (with_blobs.scratch.parent / "victim").write_bytes(b"secret")
    listing = f"{sha256(b'secret').hexdigest()} 6 {path}\n".encode()
    (with_blobs.repository / f"{backup.stamp}.blobs").write_bytes(listing)
    blobs = replace(backup.manifest.blobs, sha256=sha256(listing).hexdigest())
    manifest = replace(backup.manifest, blobs=blobs)
    (with_blobs.repository / f"{backup.stamp}.manifest").write_bytes(manifest.encoded())
    [backup] = read_repository(with_blobs.repository).backups
    assert backup.complete
    before = _all_files(with_blobs.scratch.parent)
    with pytest.raises(ActionError, match=r"lists what is no blob"):
        written_blobs(backup, with_blobs.scratch / "a" / "b")
    assert _all_files(with_blobs.scratch.parent) == before
    assert not with_blobs.verify().ok


@pytest.mark.parametrize("where", ["backups", "0x00", "."])
def test_a_repository_among_the_blobs_is_refused(with_blobs: Site, where: str) -> None:
    """ZODB deletes all that is in a blob directory when it finds no Data.fs."""
    assert with_blobs.blob_dir
    inside = with_blobs.with_repository(with_blobs.blob_dir / where)
    with pytest.raises(RefusedError) as refused:
        inside.back_up()
    assert refused.value.code == "place"


class Meanwhile(QuickDisk):
    """Lets cron's repozo begin and end while a backup is made."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.runs = 0

    def create(self, path: Path, dir_fd: int | None = None) -> int:
        self.runs += 1
        if self.runs == 1:
            done = repozo("-B", "-r", self._site.repository, "-f", self._site.data_fs)
            assert done.returncode == 0, done.stderr
        return super().create(path, dir_fd)


LAST_SECOND = "9999-12-31-23-59-59"


def test_after_the_last_second_there_is_a_named_failure(site: Site) -> None:
    site.back_up()
    (site.repository / f"{LAST_SECOND}.fs").write_bytes(b"")
    site.commit(1)
    with pytest.raises(ActionError, match=LAST_SECOND):
        site.back_up()


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_repozo_that_runs_meanwhile_tears_nothing(site: Site, before: int) -> None:
    """Two pieces after the same bytes: `repozo -R` would restore both, and ZODB open neither."""
    for _ in range(before):
        site.back_up()
        site.commit()
    site.back_up(disk=Meanwhile(site))
    verdict = site.verify()
    assert verdict.ok, verdict.failures
    assert restored(site.repository, site.scratch / "Data.fs") == site.bytes


def _all_files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_blobs_in_a_lawn_are_found(with_blobs: Site) -> None:
    assert with_blobs.blob_dir
    with_blobs.data_fs.unlink()
    with_blobs.blob_dir = with_blobs.data_fs.parent / "lawn"
    with_blobs.blob_dir.mkdir(mode=0o700)
    (with_blobs.blob_dir / ".layout").write_text("lawn")
    make_blobs(with_blobs.data_fs, with_blobs.blob_dir, 2)
    with_blobs.back_up()
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures


def test_a_blob_in_both_layouts_is_one(with_blobs: Site) -> None:
    assert with_blobs.blob_dir
    for path in list(with_blobs.blob_dir.rglob("*.blob")):
        lawn = with_blobs.blob_dir / path.parent.name
        lawn.mkdir(exist_ok=True)
        os.link(path, lawn / path.name)
    with_blobs.back_up()
    with_blobs.more()
    assert with_blobs.back_up().blobs == 5
    assert len(list((with_blobs.repository / "blobs").rglob("*.blob"))) == 3
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures


def test_a_lost_blob_is_brought_back_though_the_layout_is_another_now(with_blobs: Site) -> None:
    """And nothing else is new, so that no list is made in which the path could be another."""
    assert with_blobs.blob_dir
    with_blobs.back_up()
    for path in list(with_blobs.blob_dir.rglob("*.blob")):
        lawn = (
            with_blobs.blob_dir / f"0x{int(''.join(path.parts[-9:-1]).replace('0x', ''), 16):02x}"
        )
        lawn.mkdir(exist_ok=True)
        path.rename(lawn / path.name)
    lost = min((with_blobs.repository / "blobs").rglob("*.blob"))
    content = lost.read_bytes()
    lost.unlink()
    assert not with_blobs.verify().ok
    assert with_blobs.back_up().kind == "unchanged"
    assert lost.read_bytes() == content
    verdict = with_blobs.verify()
    assert verdict.ok, verdict.failures


@pytest.mark.parametrize("name", [b"\xff.manifest", b"a\n\x1b[31m.manifest"])
def test_no_name_writes_what_it_likes_to_a_terminal(site: Site, name: bytes) -> None:
    site.back_up()
    (site.repository / os.fsdecode(name)).touch()
    [failure] = site.verify().failures
    assert failure.isprintable()
    assert failure.encode()


def test_a_data_fs_that_cannot_be_read_is_named_and_not_the_repository(site: Site) -> None:
    site.back_up()
    site.data_fs = Path(
        "/proc/self/mem"
    )  # a regular file, of which byte 0 is an input/output error
    with pytest.raises(ActionError, match="/proc/self/mem cannot be read") as failed:
        site.back_up()
    assert failed.value.stage == "reading the Data.fs"
