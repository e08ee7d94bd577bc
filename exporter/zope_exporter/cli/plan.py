"""`plan`: what is to be known before a pack or a restore, without touching anything."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zope_exporter.maintenance.jobs.lower_priority import lower_priority
from zope_exporter.system.log_format import set_up_logging

from .actions import with_days
from .flags import EXIT_CODES, config_flag, exit_on_user_error, json_flag
from .restore import AT, BLOB_DIR, wanted_moment

if TYPE_CHECKING:
    from zope_exporter.maintenance.plan import Plan

EXITS = (
    "Exits with 0, with 1 when something cannot be read, 2 for a mistake, 3 when it would be"
    " refused: the reasons are printed last. What is not known is printed as unknown. Nothing is"
    " written or started."
)


@click.group()
def plan() -> None:
    """Print what you should know before a pack or a restore."""


@click.command("pack", epilog=EXITS)
@click.argument("site", required=False)
@click.argument("named", metavar="[DATABASE]", required=False)
@click.option("--database", help="The same, as a flag like that of other commands.")
@json_flag("Print an object; sizes in bytes.")
@config_flag
def plan_pack_command(
    site: str | None,
    named: str | None,
    database: str | None,
    as_json: bool,
    config_file: Path | None,
    pack_days: int | None = None,
) -> None:
    """Print what a pack of a DATABASE of SITE would do, and what prevents it.

    That is what it frees, what can no longer be undone, the room it takes, how long the last ones
    took, which backup covers the database, what else runs, and what happens to the site.
    """
    lower_priority()
    from zope_exporter.config.actions import PACK
    from zope_exporter.maintenance.jobs.report import ActionError

    from .foreground import ended_by, shown
    from .run_action import catalog_to_look_at, meant

    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error(), catalog_to_look_at(config_file, pack_days) as catalog:
        [task] = meant(catalog, PACK, site, database or named)
        try:
            with shown(quiet=True) as report:
                found = catalog.plan_pack(task, report)
        except ActionError as error:
            sys.exit(ended_by(error, task))
    sys.exit(told(found, {"site": task.site, "database": task.database}, as_json))


plan.add_command(with_days(plan_pack_command))


@plan.command("restore", epilog=EXITS)
@click.argument("source", metavar="SITE | REPOSITORY")
@click.argument("data_fs", type=click.Path(path_type=Path), required=False)
@click.option("--database", help="Name of the database, if there are several.")
@click.option("--at", metavar="TIME", help=AT)
@click.option("--blob-dir", type=click.Path(path_type=Path), help=BLOB_DIR)
@json_flag("Print an object; sizes in bytes.")
@config_flag
def plan_restore_command(
    source: str,
    data_fs: Path | None,
    database: str | None,
    at: str | None,
    blob_dir: Path | None,
    as_json: bool,
    config_file: Path | None,
) -> None:
    """Print what a restore would do, and what prevents it.

    That is which backup it takes and why, its proof and size, the room for it, how long the last
    trial restores took, which transactions are lost, and who has the Data.fs open. A REPOSITORY
    (with a slash in it) is restored to DATA_FS, by default to that of its site.
    """
    lower_priority()
    from zope_exporter.maintenance.actions.restore_plan import RestoreQuestion, plan_restore
    from zope_exporter.maintenance.jobs.report import ActionError

    from .foreground import ended_by, shown
    from .run_action import catalog_to_look_at

    set_up_logging("error", "logfmt")  # what is to be said is printed
    moment = wanted_moment(at)
    to = data_fs.absolute() if data_fs else None, blob_dir.absolute() if blob_dir else None
    with exit_on_user_error(), catalog_to_look_at(config_file) as catalog:
        try:
            with shown(quiet=True) as report:
                question = RestoreQuestion.of(catalog, source, database, *to)
                found = plan_restore(question, catalog, moment, report)
        except (ActionError, OSError) as error:
            sys.exit(ended_by(error, source))
    about = {"site": question.site, "database": question.database}
    sys.exit(told(found, about, as_json))


def told(found: "Plan", about: dict[str, str | None], as_json: bool) -> int:
    """Print a plan; return the exit code."""
    if as_json:
        click.echo(json.dumps({**about, **found.as_json()}, indent=2))
    else:
        for line in found.lines():
            click.echo(line)
    return EXIT_CODES["refused" if found.refusals else "succeeded"]
