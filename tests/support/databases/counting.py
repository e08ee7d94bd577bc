"""Our numbers of a Data.fs, each way they can be had."""

import os
from pathlib import Path

from tests.support.databases.history import Numbers
from zope_exporter.storage.filestorage.datafile import opened
from zope_exporter.storage.filestorage.reader import DataFile
from zope_exporter.storage.filestorage.scan import Scan
from zope_exporter.storage.filestorage.totals import Totals


def scanned(path: Path, window: int = 1 << 20) -> Scan:
    """A complete scan, with the index if there is one."""
    with opened(path) as descriptor:
        file = DataFile(path, descriptor, window)
        found = os.fstat(descriptor)
        scan = Scan((found.st_dev, found.st_ino), found.st_size)
        for _ in scan.steps(file):
            pass
    return scan


def scanned_numbers(path: Path, window: int = 1 << 20) -> Numbers:
    return numbers(scanned(path, window).census.ledger())


def followed_numbers(path: Path, ledger: Totals | None = None, window: int = 1 << 20) -> Numbers:
    """What it comes to from commit to commit, from the first or those of a ledger on."""
    ledger = ledger or Totals()
    with opened(path) as descriptor:
        file = DataFile(path, descriptor, window)
        for transaction in file.transactions(ledger.position, ledger.tid):
            ledger.add(file, transaction)
    return numbers(ledger)


def numbers(ledger: Totals) -> Numbers:
    return Numbers(ledger.transactions, ledger.objects, ledger.superseded)
