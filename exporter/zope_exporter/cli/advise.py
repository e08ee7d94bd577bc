"""`advise`: what to set differently and what to expect."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zope_exporter.maintenance.jobs.lower_priority import lower_priority
from zope_exporter.system.log_format import set_up_logging

from .flags import EXIT_CODES, config_flag, exit_on_user_error, json_flag, no_such_site, read_config

if TYPE_CHECKING:
    from zope_exporter.app.check import Checked
    from zope_exporter.checks.advice import Advice
    from zope_exporter.config.schema import Config

EXITS = (
    "Exits with 0, with 2 for a mistake, 3 when there is no such site. Changes nothing; of each"
    " Data.fs what was written in the last week is read."
)


@click.command("advise", epilog=EXITS)
@click.argument("site", required=False)
@json_flag("Print a list of objects; sizes in bytes, times in seconds.")
@config_flag
def advise_command(site: str | None, as_json: bool, config_file: Path | None) -> None:
    """Print which settings of SITE, or of all sites, to change, and which limits are near.

    Each line names the numbers that it is based on; without numbers there is no line.
    """
    lower_priority()
    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        config = read_config(config_file)
        from zope_exporter.app.check import look  # what is refused above need not wait for it

        checked = look(config)
        names = [each.name for each in checked.inventory.sites]
        if site is not None and site not in names:
            click.echo(f"refused: {no_such_site(site, names)}", err=True)
            sys.exit(EXIT_CODES["refused"])
        found = [each for each in _advice(config, checked) if site in (None, each.site)]
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
        return
    for each in found:
        click.echo(f"{each.site}  {each.subject}  {each.text} ({each.evidence})")
    if not found:
        click.echo("there is nothing to advise by what is known")


def _advice(config: "Config", checked: "Checked") -> "Iterator[Advice]":
    from zope_exporter.alerting.thresholds import read_limits
    from zope_exporter.checks.advice import advise_storage, advise_zope, pace_of
    from zope_exporter.checks.backup_window import advise_window
    from zope_exporter.collectors.backup import MAX_AGE
    from zope_exporter.maintenance.jobs.store import JobStore
    from zope_exporter.system.state_look import state_to_look_at

    limits, now, values = read_limits(config.thresholds), time.time(), checked.values
    with state_to_look_at(config.state_dir) as (state, problem):
        past = JobStore(state, problem).succeeded
        for site in checked.inventory.sites:
            for service in site.services:
                yield from advise_zope(site.name, service, values, limits)
            for storage in site.storages:
                of, pace = (site.name, storage.database), pace_of(storage.data_fs, now)
                yield from advise_storage(*of, values, pace)
                yield from advise_window(*of, past, values.get(MAX_AGE, *of), pace, now)
