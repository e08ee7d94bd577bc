"""The script of the documentation that dumps a PostgreSQL, and what is seen of its success."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.databases.postgres import Postgres
from tests.support.programs.debian import tool
from tests.support.programs.documented import run_by
from tests.support.programs.require import require
from zope_exporter.maintenance.actions.external import ExternalBackup

[SCRIPT] = run_by("tests/real/test_pg_dump.py")


class Shop:
    """A database, and the directory of its dumps."""

    def __init__(self, postgres: Postgres, directory: Path) -> None:
        self.postgres = postgres
        self.dumps = directory / "shop"
        self.dumps.mkdir()
        self._script = directory / "dump"
        self._script.write_text(SCRIPT.text)
        self._bin = directory / "bin"
        self._bin.mkdir()
        (self._bin / "pg_dump").symlink_to(require(tool, "pg_dump"))
        self.watched = ExternalBackup("shop", "main", self.dumps, 26 * 3600)

    def dump(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", self._script, self.dumps, f"--dbname={self.postgres.dsn}"],
            env=os.environ | {"PATH": f"{self._bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(require(Postgres, tmp_path / "postgres"), tmp_path)


def test_a_dump_counts_when_it_is_whole_and_one_that_fails_does_not(shop: Shop) -> None:
    assert shop.watched.last_success() is None
    with shop.postgres:
        done = shop.dump()
    assert done.returncode == 0, done.stderr
    [dump] = shop.dumps.iterdir()
    assert dump.read_bytes().startswith(b"PGDMP")
    os.utime(dump, (1e9, 1e9))  # as if it were of long ago
    assert shop.watched.last_success() == 1e9

    assert shop.dump().returncode != 0
    (shop.dumps / "dump.part").write_bytes(b"PGDMP and not all of it")
    assert shop.watched.last_success() == 1e9
