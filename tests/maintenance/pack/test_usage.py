from pathlib import Path

from tests.support.databases.packing import Remembered
from zope_exporter.maintenance.pack.usage import Growth


def test_progress_is_what_the_file_of_this_pack_has_grown_by(tmp_path: Path) -> None:
    data_fs, pack, report = tmp_path / "Data.fs", tmp_path / "Data.fs.pack", Remembered()
    pack.write_bytes(b"left by one that died")
    growth = Growth(data_fs, report)
    growth.look()
    assert (report.done, growth.writes()) == (0, False)
    for size in (100, 100, 5000):
        pack.write_bytes(bytes(size))
        growth.look()
        assert (report.done, growth.writes()) == (size, True)
    pack.unlink()
    for _ in range(2):
        growth.look()
    assert report.stages == [("packing: removing blobs and saving the index", 0)]


def test_without_a_file_on_this_host_there_is_no_progress() -> None:
    report = Remembered()
    growth = Growth(None, report)
    growth.look()
    assert (report.done, growth.writes()) == (0, False)
