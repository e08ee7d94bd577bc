"""The agent's source as a distribution: one for every Python of Zope 2.13 to 6."""

import configparser
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from Products.ZopeExporterAgent import __version__

from tests.support.programs.require import require
from tests.support.zopes.agent_installed import SOURCE
from tests.support.zopes.interpreters import find_interpreter

_COMPILE = """
import io, sys
for path in sys.argv[1:]:
    compile(io.open(path, encoding="ascii").read() + u"\\n", path, "exec")
"""
FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.13"])
def test_it_is_the_language_of_each_python(version: str) -> None:
    python = require(find_interpreter, (version,))
    subprocess.run([python.executable, "-c", _COMPILE, *FILES], check=True, timeout=60)


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    assert len(FILES) > 15
    for path in FILES:
        py_compile.compile(str(path), str(tmp_path / "compiled"), doraise=True)


def test_its_version_is_said_once_in_two_places() -> None:
    setup = configparser.ConfigParser()
    setup.read(SOURCE / "setup.cfg")
    assert setup["metadata"]["version"] == __version__
    assert "install_requires" not in setup["options"]


def test_importing_it_needs_nothing_but_python_and_starts_nothing() -> None:
    names = [path.stem for path in FILES if path.parent.name == "ZopeExporterAgent"]
    modules = ", ".join(f"Products.ZopeExporterAgent.{name}" for name in names)
    program = (
        f"import sys, threading; sys.path.insert(0, {str(SOURCE)!r}); import {modules}; "
        "assert threading.active_count() == 1; assert not {'ZODB', 'App'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-S", "-c", program], check=True, timeout=60)
