"""The commands `zope-exporter agent …`."""

import sys
from pathlib import Path

import click

from .flags import config_flag, exit_on_user_error, read_config

SEARCH_SECONDS = 20.0
ASK_SECONDS = 5.0


@click.group()
def agent() -> None:
    """Install the agent that runs inside Zope, and show which Zopes have it."""


@agent.command()
@click.option(
    "--python",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The Python that runs Zope: bin/python of its virtual environment or buildout.",
)
def install(python: Path) -> None:
    """Put the agent into the environment of a Zope, without a package index."""
    from zope_exporter.clients.agent.install import InstallError
    from zope_exporter.clients.agent.install import install as put

    try:
        put(python.absolute(), click.echo)
    except InstallError as error:
        click.echo(f"zope-exporter: {error}", err=True)
        sys.exit(1)


@agent.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
def wheel(directory: Path) -> None:
    """Write the agent as a wheel into DIRECTORY, for pip or buildout to install from there."""
    from zope_exporter.clients.agent.package import shipped

    click.echo(shipped().write_wheel(directory))


@agent.command()
@config_flag
def status(config_file: Path | None) -> None:
    """Show which Zopes of this host have the agent, and why the others do not.

    Exits with 1 if one of them has no working agent.
    """
    from zope_exporter.clients.agent.diagnosis import agent_status
    from zope_exporter.config.search import search

    with exit_on_user_error():
        inventory = search(read_config(config_file), SEARCH_SECONDS)
    all_well = True
    for site, zope in inventory.serving():
        found = agent_status(zope, ASK_SECONDS)
        all_well = all_well and found.is_well
        click.echo(f"{site}/{zope.name}: {found.text}")
    if not inventory.sites:
        click.echo("found no running Zope on this host")
    sys.exit(0 if all_well else 1)
