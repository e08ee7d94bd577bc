"""What the repozo of each generation of ZODB makes of our backups, and we of what it passes."""

from pathlib import Path

import pytest

from tests.support.databases.repository import Site, repozo, restored
from tests.support.programs.require import require
from tests.support.zopes.environments import Environment, environment


@pytest.fixture(params=["zodb5", "zodb6"])
def python(request: pytest.FixtureRequest) -> Path:
    return python_of(request.param)


def python_of(name: str) -> Path:
    made: Environment = require(environment, name)
    return made.script("python")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("gzip", [False, True])
def test_repozo_restores_what_we_back_up(site: Site, python: Path, gzip: bool) -> None:
    for kind in ("full", "incremental", "incremental"):
        assert site.back_up(gzip=gzip).kind == kind
        checked = repozo("-V", "-r", site.repository, python=python)
        assert (checked.returncode, checked.stderr) == (0, "")
        target = site.scratch / "Data.fs"
        assert restored(site.repository, target, python) == site.bytes
        site.commit(2)


def test_repozo_goes_on_from_our_backup_and_we_from_its(site: Site, python: Path) -> None:
    site.back_up()
    site.commit()
    made = repozo("-B", "-r", site.repository, "-f", site.data_fs, python=python)
    assert made.returncode == 0, made.stderr
    assert restored(site.repository, site.scratch / "Data.fs", python) == site.bytes
    site.now = 2e9  # after the stamp of theirs
    site.commit()
    assert site.back_up().kind == "incremental"
    verdict = site.verify()
    assert verdict.ok, verdict.failures


def test_promise_3_what_repozo_of_zodb_5_passes_we_do_not(site: Site) -> None:
    """Before ZODB 6 `repozo -V` says what is wrong, and exits with 0."""
    site.back_up()
    [piece] = site.repository.glob("*.fs")
    whole = piece.read_bytes()
    for damaged in (bytes([*whole[:-30], whole[-30] ^ 1, *whole[-29:]]), whole[:-1], whole + b"\0"):
        piece.write_bytes(damaged)
        assert repozo("-V", "-r", site.repository, python=python_of("zodb5")).returncode == 0
        assert repozo("-V", "-r", site.repository, python=python_of("zodb6")).returncode == 1
        failures = site.verify().failures
        assert [failure for failure in failures if piece.name in failure]
