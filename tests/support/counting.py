"""Our numbers of a Data.fs, each way they can be had."""

import os
from pathlib import Path

from tests.support.history import Numbers
from zope_exporter.filestorage.datafile import opened
from zope_exporter.filestorage.ledger import Ledger
from zope_exporter.filestorage.records import DataFile
from zope_exporter.filestorage.scan import Scan


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


def followed_numbers(path: Path, ledger: Ledger | None = None, window: int = 1 << 20) -> Numbers:
    """What it comes to from commit to commit, from the first or those of a ledger on."""
    ledger = ledger or Ledger()
    with opened(path) as descriptor:
        file = DataFile(path, descriptor, window)
        for transaction in file.transactions(ledger.position, ledger.tid):
            ledger.add(file, transaction)
    return numbers(ledger)


def numbers(ledger: Ledger) -> Numbers:
    return Numbers(ledger.transactions, ledger.objects, ledger.superseded)
