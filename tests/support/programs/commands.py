"""Programs that the tests' surroundings are made with, their output kept in a file."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

# They would lead another Python than the tests' own astray; pip's variables go through.
FOREIGN = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}

Command = Sequence[str | Path]


class CommandError(Exception):
    """A program failed; the message ends with the last it wrote."""


def surroundings(changes: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """This process's environment, fit for another Python, with `changes`."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | dict(changes)


def last_lines(log: Path, count: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def run(
    command: Command,
    log: Path,
    changes: Mapping[str, str] = MappingProxyType({}),
    cwd: Path | None = None,
    timeout: float = 900,
) -> None:
    """Run `command`, appending what it writes to `log`; CommandError if it does not succeed."""
    with log.open("a") as output:
        try:
            subprocess.run(
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                cwd=cwd,
                env=surroundings(changes),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(f"{error}\n{log}:\n{last_lines(log)}") from error
