"""The group of all commands."""

from collections.abc import Iterator

import click


class ServeByDefault(click.Group):
    """A group that serves when no command is named, as exporters do.

    Options may come before the command that they are for: `--config.file FILE jobs`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*ctx.help_option_names, "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = self._command_first(args, completing=ctx.resilient_parsing)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = [flag.get_help_record(ctx) for flag in self.commands["serve"].params]
        with formatter.section("Flags of serve"):
            formatter.write_dl([record for record in records if record])
        super().format_options(ctx, formatter)

    def _command_first(self, args: list[str], completing: bool) -> list[str]:
        """Put the command before the options that stand before it; without one it is `serve`."""
        values = dict(options_of(self))  # of no two commands does an option differ in that
        number = 0
        while number < len(args) and args[number].startswith("-"):
            name, equals, _ = args[number].partition("=")
            if name not in values:
                return ["serve", *args]  # which says what it does not know
            number += 2 if values[name] and not equals else 1
        options, words = args[:number], args[number:]
        if not words:
            return [] if completing else ["serve", *options]
        command: click.Command = self
        names: list[str] = []
        while isinstance(command, click.Group) and words:
            names.append(words.pop(0))
            command = command.commands.get(names[-1], click.Command(None))
        return [*names, *options, *words]


def options_of(command: click.Command) -> Iterator[tuple[str, bool]]:
    """Yield each option of a command and its subcommands, and whether it takes a value."""
    for flag in command.params:
        if isinstance(flag, click.Option):
            yield from ((name, not flag.is_flag) for name in flag.opts)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from options_of(each)
