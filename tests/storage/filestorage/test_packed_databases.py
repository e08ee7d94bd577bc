"""Garbage of databases as programs use them is what the pack that ZODB makes by default frees."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import transaction
import ZODB
from persistent.mapping import PersistentMapping
from persistent.wref import WeakRef
from ZODB.FileStorage import FileStorage

from tests.support.databases.counting import scanned

Change = Callable[[Any, Any], None]  # of the roots of two databases


def make(main: Any, other: Any) -> None:
    """Something in each, large enough to be missed."""
    for root in (main, other):
        root["kept"] = PersistentMapping(text="x" * 100)
        root["dropped"] = PersistentMapping(text="x" * 5000)


def refer_weakly(main: Any, _: Any) -> None:
    main["weak"] = WeakRef(main["dropped"])


def refer_from_the_other(main: Any, other: Any) -> None:
    main["elsewhere"] = other["dropped"]
    other["elsewhere"] = WeakRef(main["dropped"])


def refer_otherwise(main: Any, _: Any) -> None:
    main["weak"] = WeakRef(main["dropped"])
    main["strong"] = main["dropped"]


def nothing(_main: Any, _other: Any) -> None:
    pass


def drop(main: Any, other: Any) -> None:
    del main["dropped"], other["dropped"]


def change(databases: dict[str, ZODB.DB], how: Change) -> None:
    manager = transaction.TransactionManager()
    with closing(databases["main"].open(manager)) as connection:
        how(connection.root(), connection.get_connection("other").root())
        manager.commit()


@pytest.mark.parametrize(
    ("refer", "freed"),
    [
        (nothing, {"main", "other"}),
        (refer_weakly, {"main", "other"}),
        # A pack looks at one file: what others refer to, it removes.
        (refer_from_the_other, {"main", "other"}),
        (refer_otherwise, {"other"}),
    ],
)
def test_what_a_pack_frees(refer: Change, freed: set[str], tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.fs" for name in ("main", "other")}
    databases: dict[str, ZODB.DB] = {}
    for name, path in paths.items():
        ZODB.DB(FileStorage(str(path)), databases=databases, database_name=name)
    try:
        for how in (make, refer, drop):
            change(databases, how)
        expected, sizes = {}, {}
        for name, path in paths.items():
            scan = scanned(path)
            assert scan.contents is not None
            assert scan.contents.unreachable is not None
            assert (scan.contents.unreachable > 5000) == (name in freed)
            superseded = scan.full_count.totals().superseded
            expected[name] = superseded + scan.contents.unreachable
            sizes[name] = path.stat().st_size
            databases[name].pack()
        assert {name: sizes[name] - path.stat().st_size for name, path in paths.items()} == expected
    finally:
        for database in databases.values():
            database.close()
