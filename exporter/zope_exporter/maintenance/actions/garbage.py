"""What a pack would free, as an exporter that serves has counted it."""

import time
from pathlib import Path

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.pack.target import Garbage
from zope_exporter.storage.filestorage.datafile import FileStorageError, status
from zope_exporter.storage.filestorage.format import time_of
from zope_exporter.storage.filestorage.state import Findings, Store
from zope_exporter.storage.filestorage.totals import Totals
from zope_exporter.system.state import StateError


def known_garbage(state: Path | None, storage: Storage | None) -> Garbage | None:
    """Return what a pack of all history frees at least, None where nobody knows.

    What was committed since that was kept can only add to it.
    """
    if state is None or storage is None:
        return None
    try:
        known = Store(state, storage.data_fs).load()
        found = status(storage.data_fs)
    except (StateError, FileStorageError):
        return None
    totals = known.totals
    if totals is None or known.identity != (found.st_dev, found.st_ino):  # packed since
        return None
    # No pack goes up to what is of the future: its clock was wrong, or is now.
    if time_of(totals.tid.to_bytes(8, "big")) > time.time():
        return None
    return _garbage(totals, known.findings, storage)


def _garbage(totals: Totals, findings: Findings | None, storage: Storage) -> Garbage:
    counted = Garbage(totals.superseded, packed=totals.packed)
    if storage.over_base:
        return counted._replace(unknown="the base of a demostorage may refer to any object")
    if findings is None:
        return counted
    if findings.unreachable is None:
        return counted._replace(unknown=findings.unknown or counted.unknown)
    return counted._replace(unreachable=findings.unreachable, unknown="")
