"""The command `zope-exporter`."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from zope_exporter import __version__
from zope_exporter.system.log_format import FORMATS, LEVELS, set_up_logging

from .actions import action_command, with_days, with_level, with_trial
from .advise import advise_command
from .agent import agent
from .assets import assets_command, rules_command
from .backups import backups_command
from .check import check_command
from .completion import completion_command
from .config import config_group
from .examples import with_examples
from .flags import Command, config_flag, exit_on_user_error, json_flag, read_config
from .group import ServeByDefault
from .growth import growth_command
from .init import init_command
from .paths import paths_command
from .plan import plan
from .restore import recover_command, restore_command
from .slow import slow_command

log = logging.getLogger(__name__)


def listen_flag(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--web.listen-address",
        "listen_addresses",
        default=[default],
        show_default=True,
        multiple=True,
        help="Address on which to expose metrics. Repeatable.",
    )


def log_flags(command: Command) -> Command:
    level = click.option(
        "--log.level",
        "log_level",
        type=click.Choice(LEVELS),
        default="info",
        show_default=True,
        help="Only log messages of this severity or above.",
    )
    form = click.option(
        "--log.format",
        "log_format",
        type=click.Choice(FORMATS),
        default="logfmt",
        show_default=True,
        help="Output format of log messages.",
    )
    return level(form(command))


def _telemetry_path(_: click.Context, flag: click.Parameter, path: str) -> str:
    from zope_exporter.web.app import check_telemetry_path

    try:
        check_telemetry_path(path)
    except ValueError as error:
        raise click.BadParameter(str(error), param=flag) from None
    return path


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="zope_exporter, version %(version)s")
def main() -> None:
    """Prometheus exporter for Zope, ZODB, ZEO and Plone.

    Without a command it serves metrics. Without a configuration it watches all Zope and ZEO
    processes of this host. Options may come before the command. A running exporter has its
    documentation at /docs.
    """


main.add_command(agent)


@main.command()
@config_flag
@listen_flag(":9673")
@click.option(
    "--web.systemd-socket",
    "systemd_socket",
    is_flag=True,
    help="Use the sockets of systemd's socket activation instead of listen addresses.",
)
@click.option(
    "--web.config.file",
    "web_config_file",
    type=click.Path(path_type=Path),
    help="Configuration file for TLS and basic authentication, as the official exporters take it.",
)
@click.option(
    "--web.telemetry-path",
    "telemetry_path",
    default="/metrics",
    show_default=True,
    callback=_telemetry_path,
    help="Path under which to expose metrics.",
)
@log_flags
def serve(
    config_file: Path | None,
    listen_addresses: tuple[str, ...],
    systemd_socket: bool,
    web_config_file: Path | None,
    telemetry_path: str,
    log_level: str,
    log_format: str,
) -> None:
    """Serve metrics until SIGINT or SIGTERM."""
    from zope_exporter.config.default_file import chosen, described
    from zope_exporter.config.load import load_config
    from zope_exporter.web.listen import handed_over, listen_on

    set_up_logging(log_level, log_format)
    with exit_on_user_error():
        file = chosen(config_file)
        config = load_config(file)
        log.info("configuration: %s", described(file))
        with (
            handed_over(os.environ) if systemd_socket else listen_on(listen_addresses) as listeners
        ):
            from zope_exporter.app.serve import (
                serve_on,  # what is refused above need not wait for it
            )

            serve_on(listeners, config, web_config_file, telemetry_path, config_file)


main.add_command(check_command)
main.add_command(config_group)
main.add_command(init_command)


@main.command()
@listen_flag("127.0.0.1:9673")
@click.option(
    "--stack",
    is_flag=True,
    help="Add Prometheus and Alertmanager with the shipped rules, and a mailbox.",
)
@log_flags
def demo(listen_addresses: tuple[str, ...], stack: bool, log_level: str, log_format: str) -> None:
    """Watch a throwaway Zope that has a history and visitors."""
    from zope_exporter.app.serve import serve_on
    from zope_exporter.config.schema import Config
    from zope_exporter.demo.demo import run_demo
    from zope_exporter.demo.stack import run_stack
    from zope_exporter.web.listen import listen_on, local_url

    def serve(config: Config) -> None:
        serve_on(listeners, config, None, "/metrics")

    set_up_logging(log_level, log_format)
    with exit_on_user_error(), listen_on(listen_addresses) as listeners:
        run = run_stack if stack else run_demo
        run(local_url(listeners[0]), serve, click.echo)


@main.command()
@config_flag
@click.argument("name")
def forget(config_file: Path | None, name: str) -> None:
    """Forget the Zope, ZEO server or site NAME, which is gone permanently."""
    from zope_exporter.discovery.memory import open_memory

    with exit_on_user_error():
        config = read_config(config_file)
    memory = open_memory(config.state_dir)
    forgotten = memory.forget(name)
    if memory.problem or not forgotten:
        click.echo(memory.problem or f"nothing is remembered under the name {name}", err=True)
        sys.exit(1)
    for service in forgotten:
        click.echo(f"forgot {service.kind} {service.name} of site {service.site}")


@main.command()
def metrics() -> None:
    """Print the reference of all metrics."""
    from zope_exporter.app.declarations import declared_metrics, metrics_reference

    click.echo(metrics_reference(declared_metrics()))


@main.command()
@click.argument("number", metavar="[ID]", type=int, required=False)
@json_flag("Print a list of objects, or the object with this ID, as over HTTP.")
@config_flag
def jobs(number: int | None, as_json: bool, config_file: Path | None) -> None:
    """Print the last packs, backups and verifications, or all details of the one with this ID."""
    from .jobs import history

    set_up_logging("error", "logfmt")  # the table says the rest
    with exit_on_user_error():
        lines = history(config_file, number, as_json)
    if lines is None:
        click.echo(f"there is no job {number}", err=True)
        sys.exit(1)
    for line in lines:
        click.echo(line)


main.add_command(
    with_trial(
        with_days(
            action_command("pack", "Pack a database of SITE: remove old revisions and garbage.")
        )
    )
)
main.add_command(
    with_trial(
        action_command(
            "backup", "Back up the databases of SITE, or of all sites, and prove the backups."
        )
    )
)
main.add_command(
    with_level(
        action_command(
            "verify",
            "Prove the backups of the databases of SITE, or of all sites, or the repository at PATH"
            " (with a slash in it). This may be read-only or a copy: nothing is written there, and"
            " a trial restore goes to /var/tmp or TMPDIR.",
            takes_paths=True,
        )
    )
)
main.add_command(backups_command)
main.add_command(growth_command)
main.add_command(slow_command)
main.add_command(paths_command)
main.add_command(advise_command)
main.add_command(plan)
main.add_command(restore_command)
main.add_command(recover_command)
main.add_command(assets_command)
main.add_command(rules_command)
main.add_command(completion_command)
with_examples(main)
