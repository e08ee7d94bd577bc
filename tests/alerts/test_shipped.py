import subprocess
import sys
import zipfile
from pathlib import Path

from tests.alerts.cases import ALERTS
from tests.support.exporter import zope_exporter

TOP = ALERTS.parent


def test_assets_are_written_out(tmp_path: Path) -> None:
    run = zope_exporter("assets", tmp_path / "out", state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    for path in ALERTS.rglob("*.*"):
        assert (tmp_path / "out/alerts" / path.relative_to(ALERTS)).exists()


def test_the_wheel_carries_them(tmp_path: Path) -> None:
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path)]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ALERTS.rglob("*.*"):
        assert f"zope_exporter/shipped_files/alerts/{path.relative_to(ALERTS)}" in names
