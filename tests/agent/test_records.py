"""Records that the exporter wishes for: read by a thread of their own, bytes and nothing else."""

import base64
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from Products.ZopeExporterAgent.conversation import RefusedError
from Products.ZopeExporterAgent.records import LARGEST, LARGEST_SUM, Records

from tests.support.programs.processes import eventually

HANGS = 20.0


class Sqlite3Adapter:
    """An adapter whose database has records of these sizes, and answers once it may."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.connmanager = self
        self.keep_history = False
        self.isolation_read_committed = "committed"
        self.sizes = sizes
        self.answers = threading.Event()
        self.answers.set()
        self.is_down = False
        self._asked = ""

    def open_and_call(self, ask: Callable[[Any, Any], Any]) -> Any:
        assert self.answers.wait(HANGS)
        if self.is_down:
            raise ConnectionError("password=secret")
        return ask(None, self)

    def execute(self, query: str) -> None:
        self._asked = query

    def fetchall(self) -> list[tuple[int, object]]:
        oids = [int(oid) for oid in self._asked.partition(" IN (")[2].rstrip(")").split(",")]
        known = [(oid, self.sizes[oid]) for oid in oids if oid in self.sizes]
        if "state_size" in self._asked:
            return list(known)
        return [(oid, memoryview(bytes(size))) for oid, size in known]


@pytest.fixture
def adapter() -> Iterator[Sqlite3Adapter]:
    adapter = Sqlite3Adapter({0: 10, 7: 20})
    yield adapter
    adapter.answers.set()


def sizes(records: Records, adapter: Sqlite3Adapter, *oids: int) -> dict[str, int]:
    found = eventually(lambda: records.of(SimpleNamespace(_adapter=adapter), oids), 10)
    assert found is not None
    return {oid: len(base64.b64decode(text)) for oid, text in found.items()}


def test_those_that_are_there_are_given(adapter: Sqlite3Adapter) -> None:
    records = Records()
    assert sizes(records, adapter, 0, 7, 9) == {"0": 10, "7": 20}
    adapter.sizes[0] = 11
    assert sizes(records, adapter, 0) == {"0": 11}


def test_what_is_too_large_for_an_answer_is_left_out(adapter: Sqlite3Adapter) -> None:
    adapter.sizes = {1: LARGEST + 1, 2: LARGEST, 3: LARGEST, 4: LARGEST, 5: 0}
    assert LARGEST_SUM < 3 * LARGEST
    assert sizes(Records(), adapter, 1, 2, 3, 4, 5) == {"2": LARGEST, "3": LARGEST}


def test_a_database_that_hangs_holds_up_nobody_and_is_asked_once(adapter: Sqlite3Adapter) -> None:
    records, storage = Records(), SimpleNamespace(_adapter=adapter)
    adapter.answers.clear()
    before = threading.active_count()
    for oids in ([0], [0], [7]):
        assert records.of(storage, oids) is None
    assert threading.active_count() == before + 1
    adapter.answers.set()
    assert sizes(records, adapter, 7) == {"7": 20}


def test_one_that_is_down_is_named_without_its_words(adapter: Sqlite3Adapter) -> None:
    records = Records()
    adapter.is_down = True
    with pytest.raises(
        RefusedError, match="its SQL database did not tell: ConnectionError"
    ) as told:
        sizes(records, adapter, 0)
    assert "secret" not in told.value.text
    adapter.is_down = False
    assert sizes(records, adapter, 0) == {"0": 10}


@pytest.mark.parametrize("storage", [SimpleNamespace(), SimpleNamespace(_adapter=object())])
def test_another_storage_is_left_alone(storage: object) -> None:
    with pytest.raises(RefusedError, match="not in a RelStorage"):
        Records().of(storage, [0])
