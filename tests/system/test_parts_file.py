"""What is too big for the state file, in a file of its own."""

from pathlib import Path

import pytest

from zope_exporter.system.parts_file import PartsFile
from zope_exporter.system.state import StateError

PARTS = {"place": b"{}", "nothing": b"", "columns": bytes(range(256)) * 40}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scans" / "a.scan"


def test_parts_come_back_as_they_were(file: Path) -> None:
    kept = PartsFile(file)
    assert kept.load() == {}
    for parts in (PARTS, {"other": b"\n\n"}):
        kept.save(parts)
        assert PartsFile(file).load() == parts
    assert file.stat().st_mode & 0o777 == 0o600
    kept.save({})
    assert not list(file.parent.iterdir())
    kept.save({})


def test_what_is_cut_off_or_damaged_counts_as_nothing(file: Path) -> None:
    PartsFile(file).save(PARTS)
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert PartsFile(file).load() == {}
    for place in (3, 30, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert PartsFile(file).load() == {}


def test_what_a_run_that_died_left_is_no_hindrance(file: Path) -> None:
    PartsFile(file).save(PARTS)
    file.with_name("a.scan.new").write_bytes(b"half")
    PartsFile(file).save({"new": b"1"})
    assert [each.name for each in file.parent.iterdir()] == ["a.scan"]


def test_what_cannot_be_kept_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "scans").write_bytes(b"no directory")
    with pytest.raises(StateError, match=r"scans/a\.scan: .*; make room"):
        PartsFile(tmp_path / "scans" / "a.scan").save(PARTS)
