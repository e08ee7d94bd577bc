"""`paths`: where the parts of a site are, for the commands of the runbooks."""

import sys
from pathlib import Path

import click

from zope_exporter.system.log_format import set_up_logging

from .flags import (
    EXIT_CODES,
    SEARCH_SECONDS,
    config_flag,
    exit_on_user_error,
    no_such_site,
    read_config,
)

EXITS = (
    "Exits with 0, with 2 for a mistake, 3 when there is no such site or Zope, or several of which"
    ' none is named. Used as: eval "$(zope-exporter paths SITE)"'
)


@click.command("paths", epilog=EXITS)
@click.argument("site", required=False)
@click.option("--zope", default="", help="Name of the Zope, if there are several; else the first.")
@config_flag
def paths_command(site: str | None, zope: str, config_file: Path | None) -> None:
    """Print where the logs, files and ports of SITE are, as shell variables.

    The commands of the runbooks use these variables. SITE may be left out if there is only one.
    """
    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        lines, problem = _assignments(config_file, site, zope)
    if problem:
        click.echo(f"refused: {problem}", err=True)
        sys.exit(EXIT_CODES["refused"])
    click.echo("\n".join(lines))


def _assignments(config_file: Path | None, name: str | None, zope: str) -> tuple[list[str], str]:
    """Return the lines, or why there are none."""
    from zope_exporter.config import exported
    from zope_exporter.config.search import search
    from zope_exporter.discovery.site_paths import assignments, find_site, site_paths

    config = read_config(config_file)
    inventory = search(config, SEARCH_SECONDS)
    names = [each.name for each in inventory.sites]
    site = find_site(inventory, names[0] if name is None and len(names) == 1 else name or "")
    if site is None:
        return [], no_such_site(name, names)
    try:
        values = site_paths(site, zope, config.repositories.get(site.name))
    except LookupError as error:
        return [], str(error.args[0])
    own = [] if config_file is None else [exported(config_file)]
    return [*own, *assignments(values)], ""
