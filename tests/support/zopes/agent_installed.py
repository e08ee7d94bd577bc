"""Environments of real Zopes with the agent installed as its manual says."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs.commands import run
from tests.support.zopes.environments import Environment
from zope_exporter.clients.agent.package import shipped

SOURCE = Path(__file__).parents[3] / "exporter/agent"
DISTRIBUTION = "zope-exporter-agent"


def linked_copy(original: Environment, home: Path) -> Environment:
    """The environment again below `home`, to be changed at will; its files are hard links.

    pip replaces files and never writes into them, so that the original stays as it is.
    """
    shutil.copytree(original.home, home, symlinks=True, copy_function=_link)
    for script in (home / "bin").iterdir():
        if script.is_symlink():
            continue
        text = script.read_bytes().replace(bytes(original.home), bytes(home))
        mode = script.stat().st_mode
        script.unlink()  # before it is written: it is the original's too
        script.write_bytes(text)
        script.chmod(mode)
    return Environment(original.name, home)


def _link(original: str, copy: str) -> str:
    # Its own: pip may look at what is a link and what is not.
    os.link(original, copy, follow_symlinks=False)
    return copy


def pip(environment: Environment, *arguments: str | Path) -> None:
    """Run pip of the environment; CommandError if it fails."""
    command: Sequence[str | Path] = [environment.script("python"), "-m", "pip"]
    log = environment.home.with_name(environment.home.name + ".log")
    run([*command, *arguments], log, {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, timeout=180)


def install_agent(environment: Environment) -> None:
    """Install the agent from a copy of its source: building leaves things there."""
    source = environment.home.with_name(environment.home.name + "-source")
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    pip(environment, "install", "--no-deps", source)


def uninstall_agent(environment: Environment) -> None:
    pip(environment, "uninstall", "--yes", DISTRIBUTION)


def with_agent(original: Environment, home: Path) -> Environment:
    """A copy of the environment below `home`, the agent installed from the wheel that we write."""
    copy = linked_copy(original, home)
    wheel = shipped().write_wheel(home)
    pip(copy, "install", "--no-deps", "--no-index", wheel)
    return copy
