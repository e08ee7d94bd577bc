"""`growth`: what has made a Data.fs grow."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from zope_exporter.maintenance.jobs.lower_priority import lower_priority
from zope_exporter.system.humanize import plain, size
from zope_exporter.system.log_format import set_up_logging

from .flags import (
    EXIT_CODES,
    SEARCH_SECONDS,
    config_flag,
    exit_on_user_error,
    json_flag,
    no_such_site,
    read_config,
    time_span,
)

if TYPE_CHECKING:
    from zope_exporter.storage.filestorage.growth import By, Growth, Row

SHOWN = 20
DAY = 86400.0
EXITS = (
    "Exits with 0, with 1 when a Data.fs cannot be read, 2 for a mistake, 3 when there is no"
    " Data.fs. Of each transaction it is known when, by whom and at which path it was made; of each"
    " record its class. No object is loaded and nothing is written."
)


class Place(NamedTuple):
    """A Data.fs; `site` is empty where only the file is known."""

    site: str
    database: str
    data_fs: Path


@click.command("growth", epilog=EXITS)
@click.argument("site", required=False)
@click.option(
    "--data-fs",
    type=click.Path(path_type=Path),
    help="Read this Data.fs, or a copy of one, of any site.",
)
@click.option("--database", help="Name of the database, if there are several.")
@click.option(
    "--since",
    "span",
    callback=time_span,
    metavar="SPAN",
    help="How far to go back from now: 90m, 24h, 7d. By default a day; for a file named by"
    " --data-fs, the day before its last transaction.",
)
@click.option(
    "--by",
    type=click.Choice(["class", "path", "user"]),
    default="class",
    show_default=True,
    help="What to sum up by.",
)
@json_flag("Print an object; sizes in bytes.")
@config_flag
def growth_command(
    site: str | None,
    data_fs: Path | None,
    database: str | None,
    span: float | None,
    by: "By",
    as_json: bool,
    config_file: Path | None,
) -> None:
    """Print what was written to the databases of SITE, of all sites, or to a Data.fs.

    By the class of the objects, by requested path, or by user; the largest first.
    """
    if site and data_fs:
        raise click.UsageError("give a SITE or --data-fs, not both")
    lower_priority()
    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        places = [Place("", "", data_fs)] if data_fs else _places(config_file, site, database)
    if not places:
        sys.exit(EXIT_CODES["refused"])
    found = [(place, _read(place, span, by)) for place in places]
    readable = [(place, growth) for place, growth in found if growth is not None]
    if as_json:
        click.echo(json.dumps(_object(readable, by), indent=2))
    else:
        click.echo("\n\n".join("\n".join(_told(*each, by)) for each in readable))
    sys.exit(EXIT_CODES["succeeded" if len(readable) == len(found) else "failed"])


def _places(config_file: Path | None, site: str | None, database: str | None) -> list[Place]:
    """Return what is meant; where that is nothing, say why."""
    from zope_exporter.config.search import search

    inventory = search(read_config(config_file), SEARCH_SECONDS)
    names = [each.name for each in inventory.sites]
    if site is not None and site not in names:
        click.echo(f"refused: {no_such_site(site, names)}", err=True)
        return []
    places = [
        Place(name, storage.database, storage.data_fs)
        for name, storage in inventory.storages()
        if site in (None, name) and database in (None, storage.database)
    ]
    if not places:
        whose = f" of {site}" if site else ""
        which = f" of the name {database}" if database else ""
        click.echo(
            f"refused: no database{which}{whose} has a Data.fs on this host; go to the host of the"
            " ZEO server, or name a copy with --data-fs",
            err=True,
        )
    return places


def _read(place: Place, span: float | None, by: "By") -> "Growth | None":
    """Return what was written, None if it cannot be read; what is wrong is said at once."""
    from zope_exporter.storage.filestorage.datafile import FileStorageError
    from zope_exporter.storage.filestorage.growth import growth_of

    until_now = place.site or span
    try:
        return growth_of(
            place.data_fs,
            sorted({by, "class", "view"}),
            span or DAY,
            time.time() if until_now else None,
        )
    except FileStorageError as problem:
        click.echo(f"zope-exporter: {problem}", err=True)
        return None


def _object(found: "list[tuple[Place, Growth]]", by: "By") -> dict[str, Any]:
    from zope_exporter.checks.growth import remarks

    databases = [
        {
            "site": place.site or None,
            "database": place.database or None,
            "data_fs": str(place.data_fs),
            "total_bytes": growth.bytes,
            "transactions": growth.transactions,
            "records": growth.records,
            "first": _moment(growth.first),
            "last": _moment(growth.last),
            "remarks": list(remarks(growth)),
        }
        for place, growth in found
    ]
    rows = [
        {"database": place.database, **row._asdict()}
        for place, growth in found
        for row in growth.rows(by, SHOWN)
    ]
    total = sum(growth.bytes for _, growth in found)
    return {"by": by, "total_bytes": total, "rows": rows, "databases": databases}


def _told(place: Place, growth: "Growth", by: "By") -> Iterator[str]:
    from zope_exporter.checks.growth import remarks

    whose = f"{place.database} of {place.site}, " if place.site else ""
    yield f"{whose}{plain(str(place.data_fs))}"
    if not growth.transactions:
        last = _moment(growth.last)
        when = f"the last transaction is of {last}" if last else "there is no transaction at all"
        yield f"nothing was written in that time; {when}"
        return
    yield (
        f"{size(growth.bytes)} in {growth.transactions} transactions with {growth.records} records,"
        f" {_moment(growth.first)} to {_moment(growth.last)}"
    )
    yield ""
    cells: list[tuple[str, ...]] = [(by.upper(), "SIZE", "SHARE", "RECORDS", "TRANSACTIONS")]
    cells += [_cells(row, growth) for row in growth.rows(by, SHOWN)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for key, *numbers in cells:
        padded = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((key.ljust(widths[0]), *padded))
    for remark in remarks(growth):
        yield f"\n{remark}"


def _cells(row: "Row", growth: "Growth") -> tuple[str, ...]:
    share = f"{row.bytes / growth.bytes:.0%}"
    return row.key, size(row.bytes), share, str(row.records), str(row.transactions)


def _moment(tid: int) -> str | None:
    from zope_exporter.storage.filestorage.format import time_of

    if not tid:
        return None
    when = datetime.fromtimestamp(time_of(tid.to_bytes(8, "big")), timezone.utc)
    return when.astimezone().isoformat(timespec="seconds")
