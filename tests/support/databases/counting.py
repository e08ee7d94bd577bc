"""Our numbers of a Data.fs, each way they can be had."""

import os
from pathlib import Path

from tests.support.databases.history import Numbers
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.scan import Scan
from zope_exporter.storage.filestorage.scan_memory import ScanMemory
from zope_exporter.storage.filestorage.totals import Totals


def scanned(path: Path, window: int = 1 << 20, memory: ScanMemory | None = None) -> Scan:
    """A complete scan, with the index if there is one."""
    with opened(path) as descriptor:
        file = DataFile(path, descriptor, window)
        found = os.fstat(descriptor)
        scan = Scan((found.st_dev, found.st_ino), found.st_size, memory)
        for _ in scan.steps(file):
            pass
    return scan


def scanned_numbers(path: Path, window: int = 1 << 20) -> Numbers:
    return numbers(scanned(path, window).full_count.totals())


def followed_numbers(path: Path, totals: Totals | None = None, window: int = 1 << 20) -> Numbers:
    """What it comes to from commit to commit, from the first or those of a totals on."""
    totals = totals or Totals()
    with opened(path) as descriptor:
        file = DataFile(path, descriptor, window)
        for transaction in file.transactions(totals.position, totals.tid):
            totals.add(file, transaction)
    return numbers(totals)


def numbers(totals: Totals) -> Numbers:
    return Numbers(totals.transactions, totals.objects, totals.superseded)
