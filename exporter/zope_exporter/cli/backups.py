"""`backups`: what can be restored.

It reads the configuration and the repositories, and looks for no process: whoever asks may have
nothing left but them.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from zope_exporter.system.humanize import size
from zope_exporter.system.log_format import set_up_logging

from .flags import EXIT_CODES, config_flag, exit_on_user_error, json_flag, read_config

if TYPE_CHECKING:
    from zope_exporter.maintenance.backup.listing import ListedBackup

HEADINGS = ("STAMP", "TIME", "KIND", "SIZE", "COVERS UP TO", "PROVEN")
EXITS = (
    "Exits with 0, with 1 when a repository cannot be read, 2 for a mistake, 3 when no backups are"
    " configured. A stamp is what `restore --at` takes to get this very backup."
)


class Place(NamedTuple):
    """Where the backups of a database are; `site` is empty where only the directory is known."""

    site: str
    database: str
    repository: Path


@click.command("backups", epilog=EXITS)
@click.argument("site", metavar="[SITE | DIRECTORY]", required=False)
@json_flag("Print a list of objects; sizes in bytes.")
@config_flag
def backups_command(site: str | None, as_json: bool, config_file: Path | None) -> None:
    """Print what can be restored: the backups of SITE, of all sites, or in a DIRECTORY.

    Each with its stamp, time, kind and size, the last commit that it contains, and when and how it
    was proven. A DIRECTORY (with a slash in it) may be a copy of a repository, or read-only.
    Nothing is written.
    """
    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        places = _places(site, config_file)
    if not places:
        whose = f" for a site called {site}" if site else ""
        reason = f"no repository of backups is configured{whose}"
        click.echo(f"refused: {reason} (a directory is named with a slash: ./NAME)", err=True)
        sys.exit(EXIT_CODES["refused"])
    found = [(place, _listed(place)) for place in places]
    readable = [(place, rows) for place, rows in found if rows is not None]
    if as_json:
        objects = [_object(place, row) for place, rows in readable for row in rows]
        click.echo(json.dumps(objects, indent=2))
    else:
        click.echo("\n".join(line for place, rows in readable for line in _table(place, rows)))
    sys.exit(EXIT_CODES["succeeded" if len(readable) == len(found) else "failed"])


def _places(site: str | None, config_file: Path | None) -> list[Place]:
    from zope_exporter.maintenance.backup.place import repositories

    if site is not None and "/" in site:
        return [Place("", *each) for each in repositories(Path(site))]
    return [
        Place(each.name, *found)
        for each in read_config(config_file).sites
        if each.backup and each.backup.repository and site in (None, each.name)
        for found in repositories(each.backup.repository)
    ]


def _listed(place: Place) -> "list[ListedBackup] | None":
    """Return the backups, None if they cannot be read; what is wrong is said at once."""
    from zope_exporter.maintenance.backup.listing import list_backups

    problems: Sequence[str] = ()
    rows = None
    try:
        rows, problems = list_backups(place.repository)
    except FileNotFoundError:
        problems = ["is missing: no backup was made yet, or its file system is not mounted"]
    except OSError as error:
        problems = [f"cannot be read: {error.strerror}"]
    for problem in problems:
        click.echo(f"{place.repository}: {problem}", err=True)
    return rows


def _object(place: Place, row: "ListedBackup") -> dict[str, Any]:
    named = {"site": place.site or None, "database": place.database}
    times = {key: each.isoformat() for key, each in asdict(row).items() if _is_time(each)}
    return {**named, **asdict(row), **times, "repository": str(place.repository)}


def _is_time(value: object) -> bool:
    return isinstance(value, datetime)


def _table(place: Place, rows: "Sequence[ListedBackup]") -> Iterator[str]:
    whose = f"{place.database} of {place.site}" if place.site else place.database
    total = size(sum(row.size for row in rows))
    yield f"{whose}, {len(rows)} in {place.repository}, {total} without blobs"
    if not rows:
        return
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _cells(row: "ListedBackup") -> tuple[str, ...]:
    covers = _local(row.covers) if row.covers else "not known"
    if row.problem:
        proven = f"BAD: {row.problem}"
    elif row.proven:
        proven = f"{_local(row.proven)} by {row.proven_by}"
    else:
        proven = "never"
    return row.stamp, _local(row.time), row.kind, size(row.size), covers, proven


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(timespec="seconds")
