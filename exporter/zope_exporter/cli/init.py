"""`init`: the files of a first hour, in a directory of their own."""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from zope_exporter.system.log_format import set_up_logging

from .flags import EXIT_CODES, exit_on_user_error

EXITS = (
    "Exits with 0, with 1 when a file cannot be written, 2 for a mistake, 3 when DIRECTORY exists"
    " and is not empty."
)


@click.command("init", epilog=EXITS)
@click.argument("directory", type=click.Path(path_type=Path))
def init_command(directory: Path) -> None:
    """Write what is needed to begin on this host into the new DIRECTORY, and say what to do next.

    A commented configuration of the Zopes and ZEO servers that were found, a token, a unit for
    systemd and a job for Prometheus. Nothing else is changed.
    """
    from zope_exporter.app.check import look
    from zope_exporter.app.first_files import first_files, first_pages, user_for
    from zope_exporter.config.schema import Config

    set_up_logging("error", "logfmt")  # what is to be said is printed
    with exit_on_user_error():
        _refuse_what_is_there(directory)
        checked = look(Config())
        inventory = checked.inventory
        for problem in inventory.problems:
            click.echo(f"zope-exporter: {problem}", err=True)
        try:
            pages = first_pages(checked)
            _write(directory, first_files(inventory, socket.gethostname(), pages))
        except OSError as error:
            click.echo(f"zope-exporter: {error.filename}: {error.strerror}", err=True)
            sys.exit(EXIT_CODES["failed"])
    found = [f"{each.kind} {each.name} of site {site}" for site, each in inventory.services()]
    click.echo(f"found: {', '.join(found) or 'no running Zope or ZEO server; start them first?'}")
    for line in _next(directory, user_for(inventory)):
        click.echo(line)


def _refuse_what_is_there(directory: Path) -> None:
    try:
        is_empty = not directory.exists() or not any(directory.iterdir())
    except OSError as error:
        click.echo(f"refused: {directory}: {error.strerror}; name a new directory", err=True)
        sys.exit(EXIT_CODES["refused"])
    if not is_empty:
        click.echo(f"refused: {directory} is not empty; name a new directory", err=True)
        sys.exit(EXIT_CODES["refused"])


def _write(directory: Path, texts: Mapping[str, str]) -> None:
    """Write new files, the token for our user alone. Raises OSError."""
    from zope_exporter.app.first_files import TOKEN

    directory.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = directory / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600 if name == TOKEN else 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        click.echo(str(path))


def _next(directory: Path, user: str) -> Iterator[str]:
    from zope_exporter.app.first_files import CONFIG, SCRAPE, TOKEN, UNIT

    yield f"""
Next, look whether everything is found, and read {directory / CONFIG}:
  zope-exporter config check {directory / CONFIG}
  zope-exporter check --config.file {directory / CONFIG}
To keep it running under systemd, as root, after reading {directory / UNIT}:
  install -d /etc/zope-exporter
  install -m 644 {directory / CONFIG} /etc/zope-exporter/
  install -m 600 -o {user} {directory / TOKEN} /etc/zope-exporter/
  install -m 644 {directory / UNIT} /etc/systemd/system/
  systemctl daemon-reload && systemctl enable --now zope-exporter
For Prometheus, merge {directory / SCRAPE} into its prometheus.yml.
For alerts by mail: http://localhost:9673/docs/alerts
Everything else: http://localhost:9673/docs"""
