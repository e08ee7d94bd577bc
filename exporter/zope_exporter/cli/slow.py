"""`slow`: the views that the time of a site's requests goes to."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from zope_exporter.system.humanize import few, short
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
    from zope_exporter.clients.agent.views import Slice, Sums
    from zope_exporter.discovery.inventory import Service

ASK_SECONDS = 5.0
SHOWN = 20
HOUR = 3600.0
DAY = 24 * HOUR
EXITS = (
    "Exits with 0, with 1 when an agent does not answer, 2 for a mistake, 3 when there is no such"
    " site or none of its agents answers. The agent inside each Zope counts requests by the class"
    " and the name of what they call, never by URL; it loads no object for that."
)
HEADING = (
    *("VIEW", "TIME", "SHARE", "REQUESTS", "MEAN"),
    *("LOADS", "LOAD TIME", "CONFLICTS", "ERRORS"),
)


class Told(NamedTuple):
    """What the agent of a Zope told, or why it did not."""

    site: str
    zope: str
    slices: "Sequence[Slice]" = ()
    reason: str | None = None


class Views(NamedTuple):
    """The views of a site, the one with the most time first; `since` in seconds of the epoch.

    `untimed` are the Zopes that do not tell how long their loads took.
    """

    site: str
    since: float | None
    rows: "Mapping[str, Sums]"
    total: "Sums"
    untimed: Sequence[str]


def _within_a_day(ctx: click.Context, flag: click.Parameter, text: str) -> float | None:
    span = time_span(ctx, flag, text)
    if span and span > DAY:
        raise click.BadParameter("agents keep one day", param=flag)
    return span


@click.command("slow", epilog=EXITS)
@click.argument("site", required=False)
@click.option(
    "--since",
    "span",
    callback=_within_a_day,
    default="1h",
    show_default=True,
    metavar="SPAN",
    help="How far to go back from now: 30m, 1h, 24h. Up to an hour it begins with a full ten"
    " minutes, else with a full hour.",
)
@json_flag("Print an object; times in seconds.")
@config_flag
def slow_command(site: str | None, span: float, as_json: bool, config_file: Path | None) -> None:
    """Print the views of SITE, or of all sites, that take the most time, the slowest first.

    Each with its share of the time of all requests, the objects that a request loads from ZODB on
    average and the time of that, attempts that ended in a conflict, and requests that ended in an
    error. The time of loads is known where zope.conf has <timedstorage>.
    """
    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        told = _ask(config_file, site)
    for each in told:
        if each.reason is not None:
            click.echo(f"{each.site}/{each.zope}: {each.reason}", err=True)
    found = [_views(name, list(of), span) for name, of in groupby(told, lambda each: each.site)]
    if as_json and found:
        click.echo(json.dumps(_object(found, told), indent=2))
    elif found:
        click.echo("\n\n".join("\n".join(_lines(each)) for each in found))
    failed = [each for each in told if each.reason is not None]
    if len(failed) == len(told):
        sys.exit(EXIT_CODES["refused"])
    sys.exit(EXIT_CODES["failed" if failed else "succeeded"])


def _ask(config_file: Path | None, site: str | None) -> list[Told]:
    from zope_exporter.config.search import search

    inventory = search(read_config(config_file), SEARCH_SECONDS)
    names = [each.name for each in inventory.sites]
    if site is not None and site not in names:
        click.echo(f"refused: {no_such_site(site, names)}", err=True)
        return []
    zopes = [(name, zope) for name, zope in inventory.serving() if site in (None, name)]
    if not zopes:
        click.echo("refused: there is no Zope on this host", err=True)
    return [_told(name, zope) for name, zope in zopes]


def _told(site: str, zope: "Service") -> Told:
    from zope_exporter.clients.agent.answer import AgentError
    from zope_exporter.clients.agent.diagnosis import client_of

    try:
        return Told(site, zope.name, client_of(zope, ASK_SECONDS).views())
    except AgentError as error:
        return Told(site, zope.name, reason=str(error))


def _views(site: str, told: Sequence[Told], span: float) -> Views:
    from zope_exporter.clients.agent.views import Sums, merged, ranked

    now = time.time()
    slices = [
        (of.zope, each)
        for of in told
        for each in of.slices
        if each.start + each.seconds > now - span and (each.seconds < HOUR) == (span <= HOUR)
    ]
    views = merged(each.views for _, each in slices)
    total = reduce(Sums.plus, views.values()) if views else Sums()
    since = min((each.start for _, each in slices), default=None)
    untimed = [
        zope
        for zope, each in slices
        if any(sums.load_seconds is None for sums in each.views.values())
    ]
    return Views(site, since, ranked(views, SHOWN), total, [*dict.fromkeys(untimed)])


def _object(found: Sequence[Views], told: Sequence[Told]) -> dict[str, Any]:
    rows = [
        {
            "site": views.site,
            "view": name,
            **sums._asdict(),
            "share": sums.seconds / views.total.seconds if views.total.seconds else None,
        }
        for views in found
        for name, sums in views.rows.items()
    ]
    sites = [
        {"site": views.site, "since": _moment(views.since), **views.total._asdict()}
        for views in found
    ]
    zopes = [{"site": of.site, "zope": of.zope, "problem": of.reason} for of in told]
    return {"rows": rows, "sites": sites, "zopes": zopes}


def _lines(views: Views) -> Iterator[str]:
    from zope_exporter.clients.agent.views import NONE, TIMING_LOADS

    if not views.rows:
        yield f"{views.site}: no requests are known of that time"
        return
    total = views.total
    yield (
        f"{views.site}: {total.requests:.0f} requests in {short(total.seconds)},"
        f" since {_moment(views.since)}"
    )
    yield ""
    cells = [HEADING, *(_cells(name, sums, total.seconds) for name, sums in views.rows.items())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for name, *numbers in cells:
        padded = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *padded))
    if NONE in views.rows:
        yield f"\n{NONE}: not found, refused, or answered before a view was called"
    if views.untimed:
        yield (
            f"\nLOAD TIME is unknown of {few(views.untimed)}: it needs a <timedstorage> around each"
            f" storage in zope.conf (see {TIMING_LOADS})"
        )


def _cells(name: str, sums: "Sums", total: float) -> tuple[str, ...]:
    return (
        name,
        short(sums.seconds),
        f"{sums.seconds / total:.0%}" if total else "",
        f"{sums.requests:.0f}",
        short(sums.seconds / sums.requests) if sums.requests else "",
        f"{sums.loads / sums.requests:.0f}" if sums.requests else "",
        _load_time(sums),
        f"{sums.conflicts:.0f}",
        f"{sums.errors:.0f}",
    )


def _load_time(sums: "Sums") -> str:
    if sums.load_seconds is None:
        return "unknown"
    return short(sums.load_seconds / sums.requests) if sums.requests else ""


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    when = datetime.fromtimestamp(seconds, timezone.utc)
    return when.astimezone().isoformat(timespec="seconds")
