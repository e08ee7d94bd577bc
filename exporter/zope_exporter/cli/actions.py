"""`pack`, `backup` and `verify`: the actions of the HTTP interface, in the foreground."""

import sys
from pathlib import Path

import click

from zope_exporter.maintenance.jobs.lower_priority import lower_priority
from zope_exporter.system.log_format import set_up_logging

from .flags import config_flag, exit_on_user_error

EXITS = (
    "Exits with 0 when all is done, 1 when it failed, 2 for a mistake in the configuration, 3 when"
    " it was refused and nothing was changed, 4 when it was interrupted. Of several databases the"
    " worst one decides, in the order 1, 4, 3."
)


def with_days(command: click.Command) -> click.Command:
    """Let the command of packs keep as much history as it is told."""
    text = "Days of history to keep for undo, instead of the configured number."
    days = click.Option(["--days", "pack_days"], type=click.IntRange(min=0), help=text)
    command.params.append(days)
    return command


def with_trial(command: click.Command) -> click.Command:
    """Let the command of an action be tried."""
    text = "Check everything, print what would be written, freed or removed, and do nothing."
    command.params.append(click.Option(["--dry-run"], is_flag=True, help=text))
    return command


def with_level(command: click.Command) -> click.Command:
    """Let the command of a verification be told how thorough it is to be, and of what else."""
    text = (
        "How thoroughly: names and sizes, all that was written, or a trial restore of the newest"
        " backup as well; instead of the configured level."
    )
    levels = click.Choice(["manifest", "checksums", "restore"])
    command.params.append(click.Option(["--level"], type=levels, help=text))
    for parameter in command.params:
        if parameter.name == "site":
            parameter.metavar = "[SITE | PATH]"
    return command


def action_command(action: str, help_text: str, takes_paths: bool = False) -> click.Command:
    """Return the command of an action."""

    @click.command(action, help=help_text, epilog=EXITS)
    @click.argument("site", required=False)
    @click.option("--database", help="Name of the database, if there are several.")
    @config_flag
    @click.option(
        "--wait",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        help="How long to wait for another pack or backup of the database to end.",
    )
    @click.option("--quiet", is_flag=True, help="Print only what is wrong.")
    def command(
        site: str | None,
        database: str | None,
        config_file: Path | None,
        wait: float,
        quiet: bool,
        pack_days: int | None = None,
        dry_run: bool = False,
        level: str | None = None,
    ) -> None:
        lower_priority()
        from .run_action import Shell, catalog_to_look_at, find_catalog, meant, rehearsed, worst

        set_up_logging("error", "logfmt")  # what is to be said is printed
        with exit_on_user_error():
            if site is not None and "/" in site and takes_paths:
                from .inspect import inspected

                sys.exit(worst(inspected(Path(site), database, level, quiet)))
            if dry_run:
                with catalog_to_look_at(config_file, pack_days) as catalog:
                    tasks = meant(catalog, action, site, database)
                    sys.exit(worst(rehearsed(catalog, task) for task in tasks))
            catalog = find_catalog(config_file, pack_days, level)
            tasks = meant(catalog, action, site, database)
            shell = Shell(catalog, catalog.store, wait, quiet)
            sys.exit(worst(map(shell.run, tasks)))

    return command
