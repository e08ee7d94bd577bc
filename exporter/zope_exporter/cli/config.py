"""`config`: the configuration as it is read."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from zope_exporter.system.user_error import UserError

from .flags import config_flag, exit_on_user_error

if TYPE_CHECKING:
    from zope_exporter.config.schema import Config

CHECK_EXITS = (
    "Exits with 0 when the configuration can be used, 1 when it can but a secret in it is weak or"
    " can be read by others, 2 for mistakes or when there is no such file."
)


@click.group("config")
def config_group() -> None:
    """Check the configuration, or show it with all defaults."""


@config_group.command("check", epilog=CHECK_EXITS)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_flag
@click.pass_context
def check_command(ctx: click.Context, file: Path | None, config_file: Path | None) -> None:
    """Check a configuration FILE and the tokens and thresholds that it names.

    All mistakes are printed, each with file, line, key, reason and remedy. Nothing is searched for
    on this host; `zope-exporter check` does that.
    """
    from zope_exporter.config.default_file import DEFAULT, chosen
    from zope_exporter.config.load import load_config

    # FILE goes before the variable of the environment.
    if file and ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("give FILE or --config.file, not both")
    with exit_on_user_error():
        path = chosen(file or config_file) or DEFAULT
        config = load_config(path)
    mistakes = list(_mistakes(config))
    weaknesses = [] if mistakes else _weaknesses(config)
    for text in (*mistakes, *weaknesses):
        click.echo(f"zope-exporter: {text}", err=True)
    if mistakes:
        sys.exit(2)
    number = len(config.sites)
    click.echo(f"{path}: can be used, names {number} {'site' if number == 1 else 'sites'}")
    sys.exit(1 if weaknesses else 0)


def _mistakes(config: "Config") -> Iterator[str]:
    """Yield what is wrong with the files that the configuration names."""
    from zope_exporter.alerting.thresholds import read_limits

    yield from _mistake(lambda: read_limits(config.thresholds))
    yield from _mistake(lambda: _weaknesses(config))


def _mistake(use: Callable[[], object]) -> list[str]:
    try:
        use()
    except UserError as error:
        return [str(error)]
    return []


def _weaknesses(config: "Config") -> list[str]:
    from zope_exporter.web.tokens import weaknesses

    return weaknesses(config.actions.token_file) if config.actions else []


@config_group.command("show")
@config_flag
def show_command(config_file: Path | None) -> None:
    """Print the configuration as it is used, with all defaults.

    Passwords and tokens are in files of their own, which are not read. Logins in URLs, the paths
    of webhooks and the arguments of programs are not shown.
    """
    from zope_exporter.config.default_file import chosen, described
    from zope_exporter.config.load import load_config
    from zope_exporter.config.shown import as_yaml

    with exit_on_user_error():
        file = chosen(config_file)
        config = load_config(file)
    click.echo(f"# configuration: {described(file)}")
    click.echo(as_yaml(config), nl=False)
