"""What is written to each Data.fs, by the class of the objects."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.growth import Growth
from zope_exporter.storage.filestorage.written import Written
from zope_exporter.system.state import StateError

from .filestorage import settled

LABELS = ("site", "database", "class")

WRITTEN = Metric(
    "zope_filestorage_written_bytes_total",
    "counter",
    "Bytes appended to the Data.fs since it was first seen, by the class of the objects that were"
    " written, for 20 classes that write most, which change once an hour at most; all others, and"
    " what is in no record, such as headers of transactions, are `other`.",
    LABELS,
)
RECORDS = Metric(
    "zope_filestorage_written_records_total",
    "counter",
    "Records appended to the Data.fs since it was first seen, by class as the bytes are.",
    LABELS,
)


class GrowthCollector:
    """Reads what was committed since the last scrape; `state` is the state file, None for none."""

    name = "growth"
    metrics = (WRITTEN, RECORDS)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        state: Path | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._inventory = inventory
        self._state = state
        self._pause = pause or threading.Event().wait
        self._lock = threading.Lock()
        self._written: dict[Path, Written] = {}

    def parts(self) -> Iterable[Part]:
        storages = list(self._inventory().storages())
        with self._lock:
            known, self._written = self._written, {}
            for _, storage in storages:
                path = storage.data_fs
                self._written[path] = known.get(path) or Written(path, self._state)
            return [
                Part(
                    (site, storage.database),
                    partial(self._collect, self._written[storage.data_fs], site, storage.database),
                )
                for site, storage in storages
            ]

    def since(self, data_fs: Path, time: float) -> Growth | None:
        """Return what was written to a Data.fs from the hour of a time on; None if not known."""
        written = self._written.get(data_fs)
        return written.since(time) if written else None

    def stop(self) -> None:
        """Keep what is known for the next run."""
        for written in self._written.values():
            with suppress(StateError):  # which other collectors say at each scrape
                written.save()

    def _collect(self, written: Written, site: str, database: str) -> Iterator[Sample]:
        problem = None
        try:
            settled(written.look, self._pause)
        except (FileStorageError, StateError) as error:
            problem = error
        for name, (size, records) in written.counted().items():
            labels = {"site": site, "database": database, "class": name}
            yield WRITTEN(size, **labels)
            yield RECORDS(records, **labels)
        if problem:
            raise problem
