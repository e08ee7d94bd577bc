"""What would otherwise be asked for in every review."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
ALLOWED = {"pyproject.toml", "exporter", "alerts", "grafana", "tests", "Dockerfile", "README.md"}


def tool(name: str) -> str:
    path = shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    assert path, f"{name} comes with the extra `test`: pip install -e '.[test]'"
    return path


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
        ("hadolint", "Dockerfile"),
        pytest.param(
            ("lint-imports",),
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="requires Python 3.11"),
        ),
    ],
    ids=" ".join,
)
def test_lint(command: tuple[str, ...]) -> None:
    name, *arguments = command
    run = subprocess.run(
        [tool(name), *arguments], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def tracked() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(
        listing, cwd=TOP, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_top_level_holds_nothing_else() -> None:
    top = {Path(path).parts[0] for path in tracked()}
    assert {name for name in top if not name.startswith(".")} <= ALLOWED
