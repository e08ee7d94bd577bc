"""What a pack would do, as far as the database and its engine tell."""

import time
from pathlib import Path

import pytest

from tests.support.databases.datafs import storage_at
from tests.support.databases.packing import make_database, storage_of
from tests.support.databases.written import Writer
from zope_exporter.maintenance.pack.choose_engine import choose
from zope_exporter.maintenance.pack.plan import DAY, about_pack, freed_text
from zope_exporter.maintenance.pack.preconditions import refusals
from zope_exporter.maintenance.pack.target import Garbage, PackSettings
from zope_exporter.maintenance.plan import Answer, Plan
from zope_exporter.storage.filestorage.format import tid_at

NOW = 1_700_012_345.0
NOBODY_KNOWS = "what it would free is not known: no exporter has counted this Data.fs yet"


def answers(data_fs: Path, settings: PackSettings) -> dict[str, Answer]:
    storage = storage_of(data_fs)
    found = about_pack(storage, choose(storage, []), settings, NOW)
    return {each.name: each for each in found}


@pytest.mark.parametrize(
    ("garbage", "days", "said"),
    [
        (None, 1, NOBODY_KNOWS),
        (
            Garbage(1_000_000, 500_000),
            0,
            "it would free 1.5 MB of 3 MB: 1 MB old revisions and 500 kB unreachable objects",
        ),
        (
            Garbage(1_000_000),
            1,
            "it would free up to 1 MB of 3 MB as old revisions, less what the history that is kept"
            " takes; how much it frees of unreachable objects is not known: no scan of the whole"
            " file has ended yet",
        ),
    ],
    ids=["unknown", "all", "some"],
)
def test_what_is_freed(garbage: Garbage | None, days: float, said: str) -> None:
    assert freed_text(garbage, 3e6, days) == said


@pytest.mark.parametrize(
    ("made", "packed", "lost"),
    [(3.0, 2.0, True), (3.0, 0.5, False), (3.0, 0.0, True), (0.5, 0.0, False), (3.0, None, None)],
    ids=["older", "packed further", "never packed", "all is young", "nobody has counted"],
)
def test_undo_is_lost_where_something_old_is_left_to_undo(
    tmp_path: Path, made: float, packed: float | None, lost: bool | None
) -> None:
    with storage_at(tmp_path / "Data.fs") as storage:
        Writer(storage).commit(NOW - made * DAY, "/", "", [b"data"])
    up_to = tid_at(NOW - packed * DAY) if packed else 0
    garbage = None if packed is None else Garbage(0, 0, packed=up_to)
    undo = answers(tmp_path / "Data.fs", PackSettings(days=1, garbage=garbage))["undo"]
    assert undo.facts["lost"] is lost
    assert undo.text.startswith("no undo is lost") is (lost is False)


def test_the_room_at_the_end_is_what_the_copy_leaves(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs)
    data_fs.with_name("Data.fs.old").write_bytes(b"\0" * 100_000)
    size = data_fs.stat().st_size
    room = answers(data_fs, PackSettings(days=0, garbage=Garbage(1000, 500)))["room"].facts
    assert room["written_bytes"] == size - 1500
    assert room["old_bytes"] >= 100_000
    assert room["free_after_bytes"] == room["free_before_bytes"] + room["old_bytes"] - size + 1500
    # Nobody can tell how much of it is younger than a day.
    kept = answers(data_fs, PackSettings(days=1, garbage=Garbage(1000, 500)))["room"].facts
    assert kept["written_bytes"] == size


def test_where_there_is_no_file_that_is_said_of_each_of_its_answers(tmp_path: Path) -> None:
    found = answers(tmp_path / "Data.fs", PackSettings())
    assert found["room"].text.startswith("unknown: ")
    assert found["frees"].facts["data_bytes"] is None
    refused = [*refusals(storage_of(tmp_path / "Data.fs"), PackSettings(), time.time())]
    assert [each.code for each in refused] == ["missing"]
    plan = Plan(tuple(found.values()), tuple(refused))
    assert [*plan.lines()][-1].startswith("refused  ")
    assert plan.as_json()["allowed"] is False
