"""The thresholds of the alerts as numbers, and own ones by way of the configuration."""

from dataclasses import asdict, fields
from pathlib import Path

import httpx
import pytest

from tests.support.databases.datafs import write
from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from zope_exporter.alerting.thresholds import Limits, ThresholdError, read_limits, read_thresholds
from zope_exporter.config.load import load_config
from zope_exporter.system.resources import shipped

FULL = "is getting full"


def own(directory: Path, text: str) -> Path:
    file = directory / "own.yml"
    file.write_text(text)
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that watches one Data.fs, by the thresholds of own.yml beside it."""
    write(tmp_path / "Data.fs", 3)
    file = tmp_path / "zope-exporter.yml"
    file.write_text(
        "discover: false\nthresholds: own.yml\n"
        "sites: [{name: intranet, instances: [{name: client1, data_fs: Data.fs}]}]\n"
    )
    return file


def test_every_limit_is_a_threshold_of_the_alerts() -> None:
    thresholds = read_thresholds(shipped("alerts") / "thresholds.yml")
    assert {field.name for field in fields(Limits)} <= thresholds.keys()


def test_durations_are_seconds_and_shares_are_shares(tmp_path: Path) -> None:
    text = "certificate: 1d12h\ndisk_almost_full: 0.5\ngarbage_bytes: 2e6\n"
    changes = {"certificate": 36 * 3600.0, "disk_almost_full": 0.5, "garbage_bytes": 2e6}
    assert asdict(read_limits(own(tmp_path, text))) == {**asdict(read_limits()), **changes}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("disk_allmost_full: 0.1", "disk_allmost_full: no such threshold in "),
        ("disk_almost_full: 10 %", "disk_almost_full: '10 %' is no number such as 0.9 or 1e9"),
        ("disk_almost_full: nan", "disk_almost_full: 'nan' is no number"),
        ("garbage: ''", "garbage: '' is no number"),
        ("certificate: 10", "certificate: '10' is no duration such as 90s, 5m or 8d"),
        ("- 1", "must be lines of `name: value`"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_and_key(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = own(tmp_path, text)
    with pytest.raises(ThresholdError) as caught:
        read_limits(file)
    assert str(caught.value).startswith(f"{file}: {reason}")


def test_a_path_in_the_configuration_starts_at_it(config: Path, tmp_path: Path) -> None:
    assert load_config(config).thresholds == tmp_path / "own.yml"
    assert load_config(None).thresholds is None


@pytest.mark.parametrize(("share", "is_told"), [("0", False), ("1", True)])
def test_check_and_the_page_judge_by_own_thresholds(
    share: str, is_told: bool, config: Path, tmp_path: Path
) -> None:
    own(tmp_path, f"disk_almost_full: {share}\ndisk_almost_full_critical: 0\n")
    run = zope_exporter("check", "--config.file", config, state_dir=tmp_path / "state")
    assert "Data.fs" in run.stdout, run.stderr
    assert (FULL in run.stdout) is is_told
    state = tmp_path / "served"
    with serving(state, "--config.file", config, log=tmp_path / "log") as exporter:

        def page() -> str | None:
            text = httpx.get(exporter.url, trust_env=False).text
            return text if "Database main" in text else None

        assert (FULL in (eventually(page) or "")) is is_told


@pytest.mark.parametrize(
    "command", [("check",), ("serve", "--web.listen-address", "127.0.0.1:0")], ids=" ".join
)
def test_thresholds_that_nobody_knows_end_it_with_exit_code_2(
    command: tuple[str, ...], config: Path, tmp_path: Path
) -> None:
    file = own(tmp_path, "disk_full: 0.1\n")
    run = zope_exporter(*command, "--config.file", config, state_dir=tmp_path)
    refused = zope_exporter("rules", "--thresholds", file, tmp_path / "out", state_dir=tmp_path)
    assert (run.returncode, run.stderr.endswith(refused.stderr)) == (2, True)
    assert f"{file}: disk_full: no such threshold" in run.stderr
