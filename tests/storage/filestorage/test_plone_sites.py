"""Plone sites are found in a Data.fs, with what is installed in them, and followed."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.databases import datafs
from tests.support.databases.plone_sites import PloneWriter, plone_writer
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Store

ONE = "site({'shop:default': ('1', '2'), 'odd': 3, 'text': '7', 'later': 'unknown'}"
VERSIONS = {"shop:default": "1.2", "text": "7", "later": "unknown"}
Sites = Mapping[str, Mapping[str, str] | None] | None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Data.fs"


@pytest.fixture
def plone(path: Path) -> Iterator[PloneWriter]:
    with plone_writer(path) as writer:
        yield writer


def scanned(path: Path, store: Store | None = None) -> Followed:
    followed = Followed(path, store)
    followed.look()
    rescan = Rescan(followed)
    while rescan.step():
        pass
    assert rescan.problem is None
    return followed


def sites(followed: Followed) -> Sites:
    known, problems = followed.look()
    assert problems == []
    return known.sites.versions if known.sites else None


@pytest.mark.parametrize("more", ["", ", persistent=False", ", tree=1", ", tree=500"])
def test_they_are_found_as_each_plone_keeps_them(path: Path, plone: PloneWriter, more: str) -> None:
    plone.run(f"app.Plone = {ONE}{more})")
    plone.run("app.sites = Folder(); app.sites.more = Folder(); app.sites.more.shop = site({})")
    assert sites(scanned(path)) == {"/Plone": VERSIONS, "/sites/more/shop": {}}
    assert not any(name.startswith("Products.CMFPlone") for name in sys.modules)


def test_they_are_followed_from_commit_to_commit(
    path: Path, plone: PloneWriter, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    store = Store(state / "state.sqlite", path)
    followed = scanned(path, store)
    assert sites(followed) == {}
    plone.run(f"app.Plone = {ONE}, tree=500)")
    assert sites(followed) == {"/Plone": VERSIONS}
    plone.run("tool_of(app.Plone)._profile_upgrade_versions['shop:default'] = ('1', '3')")
    assert sites(followed) == {"/Plone": {**VERSIONS, "shop:default": "1.3"}}
    assert sites(Followed(path, store)) == sites(followed)
    plone.run("tool_of(app.Plone)._profile_upgrade_versions = PersistentMapping({'new': ('1',)})")
    assert sites(followed) == {"/Plone": {"new": "1"}}
    plone.run("del app.Plone")
    assert sites(followed) == {}


def test_what_cannot_be_read_is_not_known(path: Path, plone: PloneWriter) -> None:
    plone.run("app.Plone = Site(); app.Plone._tree = OOBTree(); app.shop = site(5, False)")
    assert sites(scanned(path)) == {"/Plone": None, "/shop": None}
    other = path.with_name("encrypted.fs")
    datafs.write(other, 3)
    assert sites(scanned(other)) is None
