"""Putting the agent into environments of several kinds, none of which has a package index."""

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zope_exporter.cli.main import main
from zope_exporter.clients.agent.package import NAMESPACE, shipped

SEEN = """
import json, Products.ZopeExporterAgent as agent
from importlib.metadata import distribution, entry_points
(found,) = entry_points(group="paste.filter_factory")
print(json.dumps([agent.__file__, distribution("zope-exporter-agent").version, found.value]))
"""


def make_environment(home: Path, with_pip: bool = False) -> Path:
    venv.create(home, with_pip=with_pip, symlinks=True)
    return home / "bin/python"


def install(python: Path) -> Result:
    return CliRunner().invoke(main, ["agent", "install", "--python", str(python)])


def packages(python: Path) -> Path:
    (found,) = python.parent.parent.glob("lib/python*/site-packages")
    return found


def run(python: Path, *arguments: str) -> str:
    command = [str(python), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


def is_seen(python: Path) -> None:
    file, version, entry_point = json.loads(run(python, "-c", SEEN))
    assert Path(file).parent == packages(python) / "Products/ZopeExporterAgent"
    assert version == shipped().version
    assert entry_point == "Products.ZopeExporterAgent.paste:filter_factory"


@pytest.mark.parametrize("with_pip", [True, False])
def test_installed_once_and_for_all(tmp_path: Path, with_pip: bool) -> None:
    python = make_environment(tmp_path, with_pip)
    first, second = install(python), install(python)
    assert first.exit_code == second.exit_code == 0, first.output + second.output
    how = "by pip" if with_pip else "by copying, as there is no pip"
    put, no_zope, restart = first.output.splitlines()
    name = f"zope-exporter-agent {shipped().version}"
    assert put == f"Put {name} into {packages(python)}, {how}."
    assert no_zope == f"{python} sees no Zope: make sure that it is the Python that runs yours."
    assert restart.startswith("Restart Zope")
    assert second.output == f"{packages(python)} has {name} already.\n"
    is_seen(python)


def test_pip_keeps_books_of_it(tmp_path: Path) -> None:
    python = make_environment(tmp_path, with_pip=True)
    assert install(python).exit_code == 0
    before = {path.name for path in packages(python).iterdir()}
    run(python, "-m", "pip", "check", "--disable-pip-version-check")
    run(python, "-m", "pip", "uninstall", "--yes", "zope-exporter-agent")
    left = {path.name for path in packages(python).iterdir()}
    assert before - left == {"Products", f"{shipped().dist_info}"}


def test_what_an_earlier_version_left_goes(tmp_path: Path) -> None:
    python = make_environment(tmp_path)
    assert install(python).exit_code == 0
    module = packages(python) / "Products/ZopeExporterAgent"
    (module / "dropped.py").touch()
    (module / "agent.py").write_text("broken")
    old = packages(python) / "zope_exporter_agent-0.0.1.dist-info"
    (packages(python) / shipped().dist_info).rename(old)
    assert "Put zope-exporter-agent" in install(python).output
    is_seen(python)
    assert not (module / "dropped.py").exists()
    assert not old.exists()


@pytest.mark.parametrize("with_pip", [True, False])
def test_a_products_package_of_somebody_else_stays_as_it_is(tmp_path: Path, with_pip: bool) -> None:
    python = make_environment(tmp_path, with_pip)
    namespace = packages(python) / NAMESPACE
    namespace.parent.mkdir()
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)  # of Zope 2\n"
    namespace.write_text(text)
    assert install(python).exit_code == 0
    assert namespace.read_text() == text
    is_seen(python)
    record = packages(python) / shipped().dist_info / "RECORD"
    assert NAMESPACE not in record.read_text()


def test_its_files_can_be_read_by_zope_whoever_installs_it(tmp_path: Path) -> None:
    python = make_environment(tmp_path)
    before = os.umask(0o077)
    try:
        assert install(python).exit_code == 0
    finally:
        assert os.umask(before) == 0o077
    for path in (packages(python) / "Products").rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_another_copy_that_python_finds_first_is_a_failure(tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env")
    first = tmp_path / "first/Products/ZopeExporterAgent"
    first.mkdir(parents=True)
    (first.parent / "__init__.py").touch()
    (first / "__init__.py").touch()
    site = packages(python) / "a.pth"
    site.write_text(f"import sys; sys.path.insert(0, {str(tmp_path / 'first')!r})\n")
    result = install(python)
    assert result.exit_code == 1
    assert f"does not see it: {first}/__init__.py" in result.output


@pytest.mark.parametrize("program", ["/bin/true", "/bin/cat"])
def test_what_is_no_python_is_named(program: str) -> None:
    result = install(Path(program))
    assert result.exit_code == 1
    assert f"{program} is not a Python that works" in result.output


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("no room on the device", "no room on the device"),
        (
            "error: externally-managed-environment\n\nhint: read PEP 668",
            "error: externally-managed",
        ),
    ],
)
def test_a_failing_pip_is_named(tmp_path: Path, said: str, reason: str) -> None:
    python = make_environment(tmp_path)
    broken = packages(python) / "pip"
    broken.mkdir()
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text(f"raise SystemExit({said!r})")
    result = install(python)
    assert result.exit_code == 1
    assert f"pip install ended with status 1: {reason}" in result.output


def test_the_python_of_a_buildout_need_see_no_zope(tmp_path: Path) -> None:
    """Its eggs are seen by the scripts alone that buildout makes."""
    python = make_environment(tmp_path, with_pip=False)
    (python.parent / "buildout").touch()
    installed = install(python)
    assert installed.exit_code == 0
    assert "sees no Zope" not in installed.output


def test_a_wheel_is_installed_as_a_requirement_within_constraints(tmp_path: Path) -> None:
    """As in an image, by ADDONS or in a Dockerfile."""
    python = make_environment(tmp_path, with_pip=True)
    written = CliRunner().invoke(main, ["agent", "wheel", str(tmp_path)])
    assert written.exit_code == 0, written.output
    assert Path(written.output.strip()).parent == tmp_path
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"zope-exporter-agent=={shipped().version}\n")
    source = f"--find-links={tmp_path}", f"--constraint={constraints}"
    run(python, "-m", "pip", "install", "-q", "--no-index", *source, "zope-exporter-agent")
    is_seen(python)
