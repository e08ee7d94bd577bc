"""What several commands share: flags, and how they end at a mistake."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from zope_exporter.config.document import ConfigError
from zope_exporter.system.state import StateError

Command = TypeVar("Command", bound=Callable[..., Any])


def config_flag(command: Command) -> Command:
    text = "Configuration file; without one, what runs on this host is found by itself."
    path = click.Path(path_type=Path)
    return click.option("--config.file", "config_file", type=path, help=text)(command)


@contextmanager
def mistakes_told() -> Iterator[None]:
    """End with exit code 2 and the reason alone when it is one a person can act on."""
    from zope_exporter.alerting.rules.thresholds import ThresholdError
    from zope_exporter.demo.instance import DemoError
    from zope_exporter.discovery.watcher import SearchError
    from zope_exporter.web.listen import ListenError

    mistakes = (
        ConfigError,
        DemoError,
        ListenError,
        SearchError,
        StateError,
        ThresholdError,
        TimeoutError,
    )
    try:
        yield
    except mistakes as error:
        click.echo(f"zope-exporter: {error}", err=True)
        sys.exit(2)
