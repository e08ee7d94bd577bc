"""What helps people to find commands: examples, and completion by a real shell."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.programs.exporter import zope_exporter
from zope_exporter.cli.examples import EXAMPLES
from zope_exporter.cli.main import main

COMPLETES = """\
. <(zope-exporter completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_zope_exporter_completion zope-exporter
printf '%s\\n' "${COMPREPLY[@]}"
"""


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield all commands that do something, each with its name in full."""
    if isinstance(command, click.Group):
        for each, below in command.commands.items():
            yield from commands(below, f"{name} {each}".strip())
    else:
        yield name, command


COMMANDS = dict(commands(main))


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_words_that_the_command_takes(name: str) -> None:
    command = COMMANDS[name]
    flags = {option: flag for flag in command.params for option in flag.opts}
    for line in EXAMPLES[name]:
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)
        assert words[0] == "zope-exporter"
        own = words[1 + len(name.split()) :]
        assert words[1 : len(words) - len(own)] == name.split()
        assert {word for word in own if word.startswith("--")} <= set(flags)
        context = click.Context(command, resilient_parsing=True)
        command.parse_args(context, own)  # of the right number, and numbers where they should be


def test_help_ends_with_them_line_by_line(tmp_path: Path) -> None:
    run = zope_exporter("growth", "--help", state_dir=tmp_path)
    *_, head, first, second = run.stdout.splitlines()
    assert head.strip() == "Examples:"
    assert (first.strip(), second.strip()) == EXAMPLES["growth"]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ch"], "check"),
        (["config", "sh"], "show"),
        (["--config.file", "config.yml", "jo"], "jobs"),
        (["growth", "--si"], "--since"),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], completed: str) -> None:
    program = Path(sys.executable).with_name("zope-exporter")
    run = subprocess.run(
        ["bash", "-euc", COMPLETES, "bash", "zope-exporter", *words],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == (f"{completed}\n", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_theirs(tmp_path: Path, shell: str) -> None:
    run = zope_exporter("completion", shell, state_dir=tmp_path)
    assert "_ZOPE_EXPORTER_COMPLETE" in run.stdout
