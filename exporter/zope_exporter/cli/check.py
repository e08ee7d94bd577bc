"""`check`: one look at everything."""

import json
import sys
from pathlib import Path

import click

from zope_exporter.system.log_format import set_up_logging

from .flags import config_flag, exit_on_user_error, json_flag


@click.command("check")
@config_flag
@click.option("--quiet", is_flag=True, help="Print only problems.")
@click.option(
    "--remember",
    is_flag=True,
    help="Remember what is found, so that a Zope that stops is reported, where no exporter runs.",
)
@json_flag("Print an object, with all findings and what is watched.")
def check_command(config_file: Path | None, quiet: bool, remember: bool, as_json: bool) -> None:
    """Look at everything once; print what was found, what is wrong, and why.

    The exit codes are those of Nagios plugins: 0 OK, 1 warning, 2 critical, 3 unknown. Changes
    nothing.
    """
    if quiet and as_json:
        raise click.UsageError("give --quiet or --json, not both")
    from zope_exporter.config.default_file import chosen, described
    from zope_exporter.config.load import load_config

    set_up_logging("error", "logfmt")  # the findings say the rest
    with exit_on_user_error():
        file = chosen(config_file)
        config = load_config(file)
        from zope_exporter.app.check import (  # what is refused above need not wait for it
            as_object,
            look,
            report,
            worst,
        )

        checked = look(config, remember)
    if as_json:
        told = {**as_object(checked), "configuration": str(file) if file else None}
        click.echo(json.dumps(told, indent=2))
    else:
        for line in report(checked, quiet):
            click.echo(line)
        if not quiet:
            click.echo(f"configuration: {described(file)}")
    sys.exit(worst(checked.findings).exit_code)
