"""Real Zopes of each generation, in virtual environments that are made once and kept.

`python -m tests.support.zopes.environments [NAME ...]` makes them ahead of the tests, as many at a
time as there are processors.
"""

import hashlib
import os
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tests.support.programs.cache import UnavailableError, cache_directory, cached
from tests.support.programs.commands import Command, CommandError, run
from tests.support.zopes.interpreters import Interpreter, find_interpreter
from tests.support.zopes.recipes import RECIPES, Recipe

# The last one that makes environments for Python 2.7; it carries a pip of that age.
VIRTUALENV = "virtualenv==20.21.1"

# What has to be compiled is compiled for one short run.
COMPILER_FLAGS = {"CFLAGS": "-O0 -w"}


@dataclass(frozen=True)
class Environment:
    name: str
    home: Path

    def script(self, name: str) -> Path:
        return self.home / "bin" / name


def environment(name: str, cache: Path | None = None) -> Environment:
    """The environment of that name, made first if need be.

    Raises UnavailableError without a fitting Python, or when an installation fails.
    """
    recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    python = find_interpreter(recipe.pythons)
    key = hashlib.sha256(repr((recipe, python.version, python.prefix)).encode()).hexdigest()
    home = (cache or cache_directory()) / f"{name}-{key[:12]}"
    try:
        cached(home, lambda home: _make(recipe, python, home))
    except CommandError as error:
        raise UnavailableError(f"{name}: {error}") from error
    return Environment(name, home)


def _make(recipe: Recipe, python: Interpreter, home: Path) -> None:
    log = home.with_name(home.name + ".log")
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        if python.version.startswith("2."):
            _make_old_virtual_environment(python, home, Path(scratch), log)
        else:
            run([python.executable, "-m", "venv", home], log)
        pip: Command = [home / "bin/python", "-m", "pip", "--disable-pip-version-check"]
        constraints = _fetch_constraints(pip, recipe, Path(scratch), log)
        install: Command = [*pip, "install", "--no-cache-dir", "--prefer-binary", "-c", constraints]
        run([*install, *recipe.requirements], log, COMPILER_FLAGS)


def _make_old_virtual_environment(
    python: Interpreter, home: Path, scratch: Path, log: Path
) -> None:
    tool = scratch / "virtualenv"
    run([sys.executable, "-m", "venv", tool], log)
    run([tool / "bin/python", "-m", "pip", "install", "--no-cache-dir", VIRTUALENV], log)
    offline: Command = ["--no-periodic-update", "--app-data", scratch / "data"]
    run([tool / "bin/virtualenv", *offline, "--python", python.executable, home], log)


def _fetch_constraints(pip: Command, recipe: Recipe, scratch: Path, log: Path) -> Path:
    name = recipe.zope.partition("==")[0]
    source: Command = ["--no-cache-dir", "--no-deps", "--no-binary", name, "--dest", scratch]
    # An old pip downloads what a constraint of the user's names as well, and fails at it.
    run([*pip, "download", *source, recipe.zope], log, {"PIP_CONSTRAINT": os.devnull})
    [archive] = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        top = members.getnames()[0].split("/")[0]
        wanted = members.extractfile(f"{top}/{recipe.constraints}")
        assert wanted is not None
        constraints = scratch / "constraints.txt"
        constraints.write_bytes(wanted.read())
    return constraints


def _report(name: str) -> bool:
    began = time.monotonic()
    try:
        made = environment(name)
    except UnavailableError as error:
        click.echo(f"{name}: unavailable: {error}", err=True)
        return False
    click.echo(f"{name}: ready in {time.monotonic() - began:.1f} s, {made.home}")
    return True


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([recipe.name for recipe in RECIPES]))
def prepare(names: tuple[str, ...]) -> None:
    """Make the environments NAMES, by default all; fail if one cannot be had."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(_report, names or [recipe.name for recipe in RECIPES]))
    if not all(made):
        raise SystemExit(1)


if __name__ == "__main__":
    prepare()
