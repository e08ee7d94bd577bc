"""What several commands share: flags, and how they end."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zope_exporter.config import CONFIG_VARIABLE
from zope_exporter.system.humanize import seconds
from zope_exporter.system.user_error import UserError

if TYPE_CHECKING:
    from zope_exporter.config.schema import Config
    from zope_exporter.maintenance.jobs.job import State

Command = TypeVar("Command", bound=Callable[..., Any])

SEARCH_SECONDS = 60.0
# The worst first: what has failed must not pass for what was merely refused.
EXIT_CODES: "dict[State, int]" = {"failed": 1, "interrupted": 4, "refused": 3, "succeeded": 0}


def config_flag(command: Command) -> Command:
    text = (
        "Configuration file; by default /etc/zope-exporter/config.yml if it exists. Without one,"
        " what runs on this host is found automatically."
    )
    return click.option(
        "--config.file",
        "config_file",
        type=click.Path(path_type=Path),
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        help=text,
    )(command)


def json_flag(text: str) -> Callable[[Command], Command]:
    return click.option("--json", "as_json", is_flag=True, help=text)


def time_span(_: click.Context, flag: click.Parameter, text: str | None) -> float | None:
    """Return the seconds of a time span that was given, for an option's `callback`."""
    found = None if text is None else seconds(text)
    if text is not None and not found:
        raise click.BadParameter(f"{text!r} is no time span such as 90m, 24h or 7d", param=flag)
    return found


def read_config(named: Path | None) -> "Config":
    """Return the configuration that was named, else the default one.

    Raises ConfigError.
    """
    from zope_exporter.config.default_file import chosen
    from zope_exporter.config.load import load_config

    return load_config(chosen(named))


def no_such_site(name: str | None, sites: Iterable[str]) -> str:
    """Return why it is not known which of these sites is meant."""
    said = f"no site is called {name}" if name else "which site is meant"
    return f"{said}; known: {', '.join(sites) or 'none'}"


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End with exit code 2 and the reason alone when it is one a person can act on."""
    try:
        yield
    except (UserError, TimeoutError) as error:
        click.echo(f"zope-exporter: {error}", err=True)
        sys.exit(2)
