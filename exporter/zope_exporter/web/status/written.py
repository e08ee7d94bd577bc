"""What is written to a database, as the status page says it: by class and path, never by user."""

from collections.abc import Callable, Iterator
from pathlib import Path

from zope_exporter.checks.growth import remarks
from zope_exporter.storage.filestorage.class_names import OTHER
from zope_exporter.storage.filestorage.growth import By, Growth
from zope_exporter.system.humanize import size

from .view import Written, WrittenRow

HOUR = 3600.0
SPANS = (HOUR, 24 * HOUR, 7 * 24 * HOUR)
DAY = 1  # of the spans
SHOWN = 3

Since = Callable[[Path, float], Growth | None]
"""What was written to a Data.fs from the hour of a time on, None where that is not known."""


def written(database: str, data_fs: Path, since: Since, now: float) -> Iterator[Written]:
    """Yield what was written to a database in an hour, a day and a week, if anything is known."""
    spans = [growth for span in SPANS if (growth := since(data_fs, now - span)) is not None]
    if len(spans) == len(SPANS) and spans[-1].transactions:
        yield Written(
            database,
            tuple(size(growth.bytes) for growth in spans),
            tuple(_rows(spans, "class")),
            tuple(_rows(spans, "path")),
            tuple(remarks(spans[DAY])),
        )


def _rows(spans: list[Growth], by: By) -> Iterator[WrittenRow]:
    """Yield those with the most in each span, who wrote most in a day first."""
    sizes = [{row.key: row.bytes for row in growth.rows(by)} for growth in spans]
    largest = {key for each in sizes for key in [k for k in each if k != OTHER][:SHOWN]}
    for key in sorted(largest, key=lambda key: (-sizes[DAY].get(key, 0), key)):
        yield WrittenRow(key, tuple(size(each.get(key, 0)) for each in sizes))
