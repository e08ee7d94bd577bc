"""`completion`: what a shell needs to complete commands and their flags."""

import click

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_ZOPE_EXPORTER_COMPLETE"  # as click makes it of the name of the program


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes commands and flags."""
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:  # pragma: no cover - click knows all of them
        raise click.BadParameter(f"{shell} is not known to this version of click")
    command = ctx.find_root().command
    click.echo(complete(command, {}, "zope-exporter", _VARIABLE).source())
