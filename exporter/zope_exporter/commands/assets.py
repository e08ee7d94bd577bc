"""The commands that write out what is shipped for other programs."""

import shutil
from pathlib import Path

import click

from zope_exporter.shipped import SHIPPED, shipped

from .flags import mistakes_told

_DIRECTORY = click.Path(path_type=Path, file_okay=False)


@click.command("assets")
@click.argument("directory", type=_DIRECTORY)
def assets_command(directory: Path) -> None:
    """Write all that is shipped for Prometheus, Alertmanager, Grafana, systemd, cron and Kubernetes
    into DIRECTORY."""
    for name in SHIPPED:
        ignored = shutil.ignore_patterns("__pycache__", "generator")
        shutil.copytree(shipped(name), directory / name, dirs_exist_ok=True, ignore=ignored)
        click.echo(str(directory / name))


@click.command("rules")
@click.argument("directory", type=_DIRECTORY)
@click.option(
    "--thresholds",
    type=click.Path(path_type=Path),
    help="Your own thresholds; what they leave out is as shipped.",
)
def rules_command(directory: Path, thresholds: Path | None) -> None:
    """Write the alerting rules into DIRECTORY, for Prometheus and for its Kubernetes operator."""
    from zope_exporter.rules.generate import generate

    with mistakes_told():
        made = generate(shipped("alerts"), thresholds)
    for name, text in made.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        click.echo(str(path))
