"""What a manifest holds, and what becomes of a chain when one is lost or of an older format."""

import json
import os
from pathlib import Path

import pytest

from tests.support.databases.first_format import write_first_format
from tests.support.databases.many_backups import make_repository
from tests.support.databases.repository import Noted, Site
from zope_exporter.maintenance.backup.checksummed_json import checksummed
from zope_exporter.maintenance.backup.manifest import FORMAT, LENGTH, MOST_MARKS
from zope_exporter.maintenance.backup.repository import LOST, UNFINISHED, read_repository


def sizes(site: Site) -> list[int]:
    return [path.stat().st_size for path in sorted(site.repository.glob("*.manifest"))]


def test_a_manifest_is_as_small_as_what_is_new(site: Site) -> None:
    for _ in range(12):
        site.back_up()
        site.commit()
    full, second, *_, last = sizes(site)
    assert last <= second + 16  # longer numbers
    assert last < 3 * full
    [newest] = read_repository(site.repository).backups[-1:]
    assert newest.manifest
    assert len(newest.manifest.pieces) == 12
    assert len(newest.manifest.own) == 1


def test_the_note_of_a_proof_is_as_small_for_a_long_chain_as_for_a_short_one(
    tmp_path: Path,
) -> None:
    make_repository(tmp_path / "backups", fulls=1, each=150)
    records = sorted((tmp_path / "backups").glob("*.verified"))
    assert records[-1].stat().st_size == records[0].stat().st_size
    assert all(backup.proven for backup in read_repository(tmp_path / "backups").backups)


def test_the_proofs_that_earlier_versions_noted_still_count(site: Site) -> None:
    """They list each piece with its size and MD5 sum, and when each was written."""
    for _ in range(3):
        site.back_up()
        assert site.verify().ok
        site.commit()
    for backup in read_repository(site.repository).backups:
        assert backup.record
        told = json.loads(backup.record.encoded())["contents"]
        del told["seal"]
        files = [site.repository / piece.name for piece in backup.pieces]
        told["pieces"] = [f"{p.name} {p.size} {p.md5}" for p in backup.pieces]
        told["changed"] = [file.stat().st_mtime_ns for file in files]
        (site.repository / f"{backup.stamp}.verified").write_bytes(checksummed(told))
    listed = read_repository(site.repository)
    assert not listed.problems
    assert [backup.proven for backup in listed.backups] == [True] * 3
    os.utime(site.repository / listed.backups[1].pieces[-1].name)
    written_since = [backup.proven for backup in read_repository(site.repository).backups]
    assert written_since == [True, False, False]


def test_the_fingerprint_is_that_of_the_whole_chain(site: Site) -> None:
    site.commit(40)
    site.back_up()
    for _ in range(3):
        site.commit(100)
        site.back_up()
    manifest = read_repository(site.repository).backups[-1].manifest
    assert manifest
    marks = manifest.fingerprint
    assert len(marks) <= MOST_MARKS + 1
    assert marks[0].position < 1000
    assert all(mark.length <= LENGTH for mark in marks[:-1])
    assert marks[-1].position + marks[-1].length == manifest.end
    places = [mark.position for mark in marks[:-1]]
    assert len(set(places)) > 40
    report = Noted()
    assert site.back_up(report=report).kind == "unchanged"
    assert f"so are {len(marks)} places in it" in " ".join(report.lines)


@pytest.mark.parametrize("changed", ["in the first piece", "in the last piece"])
def test_a_change_in_any_piece_is_seen_by_the_fingerprint(site: Site, changed: str) -> None:
    """Marks that only the manifests of before have are looked at as well."""
    site.back_up()
    end = site.data_fs.stat().st_size
    for _ in range(3):
        site.commit()
        site.back_up()
    site.commit()
    manifest = read_repository(site.repository).backups[-1].manifest
    assert manifest
    first = changed == "in the first piece"
    mark = next(each for each in manifest.fingerprint if (each.position < end) == first)
    with site.data_fs.open("r+b") as file:  # the user of a transaction: still a Data.fs
        file.seek(mark.position + 8 + 8)
        assert file.read(1) == b" "
        file.seek(mark.position + 8 + 8)
        file.write(b"u")
    assert site.back_up().kind == "full"


def test_a_repository_of_the_first_format_is_read_and_gone_on_from(site: Site) -> None:
    for _ in range(3):
        site.back_up()
        site.commit()
    write_first_format(site.repository)
    listed = read_repository(site.repository)
    assert [each.problem for each in listed.backups] == ["", "", ""]
    report = Noted()
    assert site.back_up(report=report).kind == "incremental"
    assert "the file is the same" in " ".join(report.lines)
    site.commit()
    assert site.back_up().kind == "incremental"
    formats = [
        json.loads(path.read_bytes())["contents"]["format"]
        for path in sorted(site.repository.glob("*.manifest"))
    ]
    assert formats == [1, 1, 1, FORMAT, FORMAT]
    assert site.verify().ok


def test_a_manifest_that_is_lost_takes_those_after_it_along(site: Site) -> None:
    stamps = []
    for _ in range(4):
        stamps.append(site.back_up().stamp)
        site.commit()
    (site.repository / f"{stamps[1]}.manifest").unlink()
    problems = [each.problem for each in read_repository(site.repository).backups]
    assert problems == ["", LOST, LOST, LOST]
    assert site.back_up().kind == "full"
    assert not any(each.unfinished for each in read_repository(site.repository).backups)


def test_the_last_manifest_that_is_missing_is_of_a_backup_that_was_interrupted(site: Site) -> None:
    site.back_up()
    site.commit()
    stamp = site.back_up().stamp
    (site.repository / f"{stamp}.manifest").unlink()
    [_, last] = read_repository(site.repository).backups
    assert (last.problem, last.unfinished) == (UNFINISHED, True)
    assert site.back_up().kind == "unchanged"
    assert [each.problem for each in read_repository(site.repository).backups] == ["", ""]


def test_a_manifest_of_another_chain_is_not_gone_on_from(site: Site) -> None:
    """Somebody has put the files of two repositories together."""
    site.back_up()
    other = site.with_repository(site.scratch / "other")
    other.now += 30
    other.back_up()
    site.commit()
    stamp = other.back_up().stamp
    site.commit()
    site.back_up()
    for path in other.repository.glob(f"{stamp}*"):
        path.rename(site.repository / path.name)
    [first, own, foreign] = read_repository(site.repository).backups
    assert foreign.stamp == stamp
    assert (first.problem, own.problem) == ("", "")
    assert foreign.problem


def test_what_is_to_be_read_for_a_list_grows_with_the_number_of_backups_alone(site: Site) -> None:
    directory = site.scratch / "many"
    stamps = make_repository(directory, fulls=1, each=100)
    of = [(directory / f"{stamp}.manifest").stat().st_size for stamp in stamps]
    assert max(of) < 1.2 * min(of)
    assert all(each.complete for each in read_repository(directory).backups)
