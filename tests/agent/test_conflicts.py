"""Conflicts by database, told from the stack they came from."""

import sys
from types import SimpleNamespace

import ZODB
from Products.ZopeExporterAgent.conflicts import Conflicts
from Products.ZopeExporterAgent.requests import Requests
from ZODB.Connection import Connection
from ZODB.POSException import ConflictError


class Strange:
    """Such as a proxy, whose object is not to be had."""

    @property  # type: ignore[misc]  # it is read-only, which is what is strange about it
    def __class__(self) -> type:
        raise LookupError

    def calls(self, connection: Connection) -> None:
        commit(connection)


def commit(self: Connection) -> None:
    raise ConflictError(repr(self))


def test_objects_of_any_kind_on_the_stack_do_not_hide_the_database() -> None:
    database = ZODB.DB(None, database_name="main")
    conflicts = Conflicts(Requests())
    try:
        Strange().calls(database.open())
    except ConflictError:
        conflicts.heed(SimpleNamespace(exc_info=sys.exc_info(), retry=True))
    finally:
        database.close()
    told = [each for each in conflicts.status(()) if each["count"]]
    assert told == [{"database": "main", "kind": "write", "outcome": "retried", "count": 1}]
