"""Packing a Data.fs that no process has open, in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.jobs.report import RefusedError, Report
from zope_exporter.storage.filestorage.open_files import holders

from .program import own_program, program
from .target import Running

# It ends at once unless it is just exchanging the files, and that is not to be torn.
PATIENCE_SECONDS = 60.0


class FileEngine:
    """Packs the file itself, and keeps Zope from opening it meanwhile by ZODB's own lock."""

    name = "the file"

    def __init__(self, storage: Storage, proc: Path = Path("/proc")) -> None:
        self._storage = storage
        self._proc = proc

    def check(self) -> None:
        """Raise RefusedError `open` if any process has the file open."""
        found = holders(self._storage.data_fs, self._proc)
        if found.none:
            return
        who = ", ".join(f"process {pid}" for pid in found.pids) or "a process that cannot be seen"
        raise RefusedError(
            "open",
            f"{who} has {self._storage.data_fs} open, and only that process can pack it",
            "install the agent in that Zope, give zmi: for it, or stop it",
        )

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; it ends with us, and the Data.fs is then as it was."""
        data_fs, blob_dir = self._storage.data_fs, self._storage.blob_dir
        command = own_program("offline", repr(days), str(data_fs), str(blob_dir or ""))
        with program(command, report, patience=PATIENCE_SECONDS) as running:
            yield running
