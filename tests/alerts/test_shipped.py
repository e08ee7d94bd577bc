"""What people get who have no checkout: all of it, and the same whatever they installed."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.alerts.cases import ALERTS
from tests.support.monitoring.dashboards import made, steps
from tests.support.programs.built import build
from tests.support.programs.exporter import environment, zope_exporter
from zope_exporter.alerting.dashboards.build import as_files, for_grafana_com
from zope_exporter.alerting.rules import generate

TOP = ALERTS.parent
VARIANTS = as_files(for_grafana_com(dashboard) for dashboard in made())


def contents(directory: Path) -> dict[str, str]:
    """The files of a directory and their texts."""
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*.*")
        if path.is_file()
    }


def expected() -> dict[str, dict[str, str]]:
    """What `assets` is to write for Prometheus and Grafana: what is kept, and what is not."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "alerts", "grafana"]
    run = subprocess.run(listing, cwd=TOP, capture_output=True, text=True, check=True)
    kept = {path: (TOP / path).read_text() for path in run.stdout.splitlines()}
    kept |= {f"alerts/{name}": text for name, text in generate(ALERTS).items()}
    kept |= {f"grafana/grafana.com/{name}": text for name, text in VARIANTS.items()}
    return {
        top: {path.removeprefix(f"{top}/"): kept[path] for path in kept if path.startswith(top)}
        for top in ("alerts", "grafana")
    }


def test_assets_are_written_out(tmp_path: Path) -> None:
    run = zope_exporter("assets", tmp_path / "out", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    for name, files in expected().items():
        assert contents(tmp_path / "out" / name) == files


def test_assets_with_own_thresholds(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("pack_overdue: 30d\n")
    run = zope_exporter("assets", tmp_path / "out", "--thresholds", own, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    for name in ("rules/zope.yml", "kubernetes/prometheusrule.yml"):
        assert "> 2592000" in (tmp_path / "out/alerts" / name).read_text()
    for name in ("dashboards", "grafana.com"):
        text = (tmp_path / "out/grafana" / name / "zodb-storage.json").read_text()
        assert dict(steps(json.loads(text)))["Since the last pack"] == (2592000,)


def test_thresholds_that_cannot_be_used_write_no_assets(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("pack_overdue: soon\n")
    run = zope_exporter("assets", tmp_path / "out", "--thresholds", own, state_dir=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert "own.yml: pack_overdue: 'soon' is no duration" in run.stderr
    assert not (tmp_path / "out").exists()


def test_no_other_command_is_made_slower() -> None:
    program = "import sys, zope_exporter.cli.main; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not [
        name for name in run.stdout.split() if name.startswith("zope_exporter.alerting.dashboards")
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is built of this checkout."""
    return build("hatchling.build", "wheel", TOP, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The command of a new virtual environment in which nothing of ours is but the wheel."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    install = [str(home / "bin/pip"), "install", "--no-index", "--no-deps", str(wheel)]
    run = subprocess.run(install, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    [packages] = home.glob("lib/python*/site-packages")
    # What others have made is as it is here. A .pth file in there, of our own, is not looked at.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin/zope-exporter"


def test_an_installed_wheel_writes_the_same(installed: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [installed, "assets", "out"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for name, files in expected().items():
        assert contents(tmp_path / "out" / name) == files


def test_an_installed_wheel_has_the_documentation_that_it_serves(
    installed: Path, tmp_path: Path
) -> None:
    program = "from zope_exporter.system.resources import shipped; print(shipped('docs'))"
    command = [str(installed.parent / "python"), "-c", program]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    docs = Path(run.stdout.strip())
    assert docs.is_relative_to(tmp_path)
    assert contents(docs) == contents(TOP / "exporter/docs")
