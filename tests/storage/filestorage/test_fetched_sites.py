"""The same sites are found where records are asked for, and few times is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ZODB.FileStorage import FileStorage

from tests.support.databases.plone_sites import plone_writer
from zope_exporter.storage.filestorage.fetched_sites import MOST_AT_ONCE, fetched_sites

SITES = {f"/sites/n{number}": {"shop:default": str(number)} for number in range(20)}
CREATE = (
    "app.sites = Folder();"
    "[setattr(app.sites, 'n%d' % n, site({'shop:default': (str(n),)}, tree=9)) for n in range(20)]"
)


class Fetching:
    """Gives the records of a Data.fs but for those that are lacking, and notes how it is asked."""

    def __init__(self, path: Path) -> None:
        self.lacking: set[int] = set()
        self.asked: list[int] = []
        with_history = FileStorage(str(path), read_only=True)
        self._records: dict[int, bytes] = {
            int.from_bytes(record.oid, "big"): record.data
            for transaction in with_history.iterator()
            for record in transaction
        }
        with_history.close()

    def __call__(self, oids: Sequence[int]) -> Mapping[int, bytes]:
        self.asked.append(len(oids))
        assert len(oids) == len(set(oids)) <= MOST_AT_ONCE
        there = set(oids) & self._records.keys() - self.lacking
        return {oid: self._records[oid] for oid in there}


def test_twenty_sites_take_few_questions(tmp_path: Path) -> None:
    with plone_writer(tmp_path / "Data.fs") as writer:
        writer.run(CREATE)
        fetch = Fetching(tmp_path / "Data.fs")
        assert fetched_sites(fetch) == SITES
    assert len(fetch.asked) < 50


def test_what_is_not_given_is_not_known(tmp_path: Path) -> None:
    with plone_writer(tmp_path / "Data.fs") as writer:
        writer.run("app.Plone = site({})")
        fetch = Fetching(tmp_path / "Data.fs")
    fetch.lacking = {oid for oid in range(100) if oid > 1}
    assert fetched_sites(fetch) == {"/Plone": None}
    fetch.lacking = {0}
    assert fetched_sites(fetch) is None
