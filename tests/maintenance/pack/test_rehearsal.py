"""What a pack says of itself without being done."""

from pathlib import Path

import pytest

from tests.support.databases.packing import make_database, storage_of
from tests.support.databases.repository import Noted
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.pack.choose_engine import choose
from zope_exporter.maintenance.pack.rehearsal import rehearse
from zope_exporter.maintenance.pack.target import PackSettings, PackTarget


def test_what_is_known_to_be_garbage_is_said(tmp_path: Path) -> None:
    make_database(tmp_path / "Data.fs")
    storage = storage_of(tmp_path / "Data.fs")
    report = Noted()
    rehearse(PackTarget(storage, choose(storage, [])), PackSettings(garbage=1_000_000), report)
    assert "it would free up to 1 MB of " in report.lines[1]
    assert report.lines[-1] == "nothing was done"


def test_it_is_refused_as_the_pack_would_be(tmp_path: Path) -> None:
    storage = storage_of(tmp_path / "Data.fs")
    with pytest.raises(RefusedError, match=r"Data\.fs") as refused:
        rehearse(PackTarget(storage, choose(storage, [])), PackSettings(), Noted())
    assert refused.value.code == "missing"
