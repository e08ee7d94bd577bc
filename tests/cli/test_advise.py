"""What is advised, by what a host has."""

import json
import time
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.history import record
from tests.support.databases.written import Writer
from tests.support.faults.small_disk import small_disk_at
from tests.support.jobs.jobs import has_run
from tests.support.programs.exporter import zope_exporter
from zope_exporter.checks.advice import pace_of
from zope_exporter.maintenance.jobs.job import Task

DAY = 86400.0


def write(path: Path, now: float, days: int) -> int:
    """Write a database that is made so many days ago, and a megabyte at each day; return that."""
    with datafs.storage_at(path) as storage:
        writer = Writer(storage)
        return sum(
            writer.commit(now - day * DAY, "/edit", "admin", [record(1_000_000, [], "m C")])
            for day in range(days, 0, -1)
        )


def test_a_disk_that_is_full_soon_is_told_with_what_says_so(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "var", "size=80m") as disk:
        data_fs = disk / "Data.fs"
        write(data_fs, time.time(), 3)
        zope = f"{{name: client1, data_fs: {data_fs}}}"
        config = tmp_path / "config.yml"
        config.write_text(f"discover: false\nsites: [{{name: intranet, instances: [{zope}]}}]\n")
        flags = "--config.file", config
        told = zope_exporter("advise", "intranet", "--json", *flags, state_dir=tmp_path / "s")
        assert told.returncode == 0, told.stderr
        full, no_pack = json.loads(told.stdout)
        other = zope_exporter("advise", "nobody", *flags, state_dir=tmp_path / "s")
    free = full["facts"]["free_bytes"]
    assert full["text"].startswith("its disk is full in ")
    assert full["facts"]["full_in_seconds"] == pytest.approx(free / 1e6 * DAY, rel=0.05)
    assert "3 MB were written in the last 3 d" in full["evidence"]
    left = (free - no_pack["facts"]["data_bytes"] - (64 << 20)) / 2
    assert no_pack["facts"]["no_pack_in_seconds"] == pytest.approx(left / 1e6 * DAY, rel=0.05)
    assert (other.returncode, "known: intranet" in other.stderr) == (3, True)
    assert not (tmp_path / "s").exists()


def test_how_fast_a_file_grows_is_known_after_a_day(tmp_path: Path) -> None:
    now = time.time()
    written = write(tmp_path / "Data.fs", now, 30)
    week = pace_of(tmp_path / "Data.fs", now)
    assert week
    assert (week.written, week.seconds) == (written // 30 * 7, 7 * DAY)
    assert pace_of(tmp_path / "Data.fs", now - 30 * DAY + 3600) is None
    assert pace_of(tmp_path / "missing.fs", now) is None


def test_when_a_backup_takes_too_long_is_told_by_those_that_became_longer(tmp_path: Path) -> None:
    now, hour = time.time(), 3600.0
    write(tmp_path / "Data.fs", now, 1)
    zope = f"{{name: client1, data_fs: {tmp_path / 'Data.fs'}}}"
    backup = f"{{repository: {tmp_path / 'backups'}, max_age: 26h}}"
    site = f"{{name: intranet, instances: [{zope}], backup: {backup}}}"
    (tmp_path / "config.yml").write_text(f"discover: false\nsites: [{site}]\n")
    backed_up, packed = Task("intranet", "main", "backup"), Task("intranet", "main", "pack")
    kind = {"kind": "incremental", "verified": "checksums"}
    for day in range(15, 0, -1):
        # The weekly proof of all takes longer, and no longer than a week ago.
        proven = {"kind": "incremental", "verified": "restore"}
        took, result = (1.5 * hour, proven) if day % 7 == 0 else ((44 - 2 * day) * 60.0, kind)
        has_run(tmp_path / "state.sqlite3", now - day * DAY, took, result, backed_up)
        has_run(tmp_path / "state.sqlite3", now - day * DAY + 2 * hour, hour, {}, packed)
    flags = "--config.file", tmp_path / "config.yml"
    told = zope_exporter("advise", "--json", *flags, state_dir=tmp_path)
    assert told.returncode == 0, told.stderr
    [advice] = [each for each in json.loads(told.stdout) if "backup" in each["text"]]
    assert advice["text"].startswith("in 38 d a backup takes longer than what max_age leaves")
    facts = advice["facts"]
    assert (facts["runs"], facts["room_seconds"]) == (13, pytest.approx(2 * hour, rel=0.01))
    assert facts["more_seconds_per_day"] == pytest.approx(120, rel=0.01)
    assert facts["too_long_in_seconds"] == pytest.approx(38 * DAY, rel=0.01)
    assert (
        "the last 13 incremental backups proven by checksums within 14 d took"
        in (advice["evidence"])
    )
    assert (
        "a backup begins every 24 h, and a commit may be without one for 26 h" in advice["evidence"]
    )
