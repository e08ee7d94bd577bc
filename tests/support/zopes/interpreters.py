"""Python interpreters of this machine, by version."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.cache import UnavailableError
from tests.support.zopes.recipes import RUNNING


@dataclass(frozen=True)
class Interpreter:
    executable: Path
    version: str
    prefix: str


def find_interpreter(versions: Sequence[str]) -> Interpreter:
    """The first that runs, of `versions` ("3.8") best first; UnavailableError if none does."""
    for version in versions:
        for executable in _candidates(version):
            found = _ask(executable)
            if found is not None and found.version.startswith(f"{version}."):
                return found
    wanted = " or ".join(f"python{version}" for version in versions)
    raise UnavailableError(f"no {wanted} on PATH or among pyenv's versions")


def _candidates(version: str) -> Iterator[str | Path]:
    if version == RUNNING:
        yield sys.executable
    name = f"python{version}"
    if on_path := shutil.which(name):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"))


def _ask(executable: str | Path) -> Interpreter | None:
    # pyenv's shims are on PATH for versions that are not switched on too, and then only fail.
    question = (
        "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3]);"
        "print(getattr(sys, 'base_prefix', sys.prefix))"
    )
    answer = subprocess.run(
        [executable, "-c", question], capture_output=True, text=True, timeout=30, check=False
    )
    if answer.returncode != 0:
        return None
    path, version, prefix = answer.stdout.splitlines()
    return Interpreter(Path(path), version, prefix)
