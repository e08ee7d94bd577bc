"""`config check`, `config show`, and the configuration that every command finds by itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.programs.exporter import environment, serving, zope_exporter

MISTAKES = """\
sights: []
sites:
  - name: intranet
    ping: [{name: home, url: "ftp://geheim@example.org", timeout: soon}]
"""


def test_all_mistakes_are_printed_with_line_key_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(MISTAKES)
    run = zope_exporter("config", "check", path, state_dir=tmp_path)
    assert run.returncode == 2
    assert f"{path}:1: sights: unknown key (did you mean sites?)" in run.stderr
    assert f"{path}:4: sites[0].ping[0].url: must begin with http://" in run.stderr
    assert f"{path}:4: sites[0].ping[0].timeout: is not a duration (a number" in run.stderr
    assert "geheim" not in run.stderr


def test_the_files_that_it_names_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("thresholds: own.yml\nactions: {token_file: token}\n")
    (tmp_path / "own.yml").write_text("nonsense: 1\n")
    run = zope_exporter("config", "check", path, state_dir=tmp_path)
    assert run.returncode == 2
    assert f"{tmp_path}/own.yml" in run.stderr
    assert f"{tmp_path}/token: is missing" in run.stderr


def test_a_weak_secret_is_a_warning(tmp_path: Path) -> None:
    path, token = tmp_path / "config.yml", tmp_path / "token"
    path.write_text("actions: {token_file: token}\nsites: [{name: intranet}]\n")
    token.write_text("short")
    token.chmod(0o644)
    run = zope_exporter("--config.file", path, "config", "check", state_dir=tmp_path)
    assert run.returncode == 1
    assert run.stdout == f"{path}: can be used, names 1 site\n"
    assert "every user of this host can read the tokens" in run.stderr
    assert "the token is short" in run.stderr
    token.write_text("long-enough-for-anybody")
    token.chmod(0o600)
    run = zope_exporter("config", "check", "--config.file", path, state_dir=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")


def test_without_a_file_there_is_nothing_to_check(tmp_path: Path) -> None:
    run = zope_exporter("config", "check", tmp_path / "missing.yml", state_dir=tmp_path)
    assert run.returncode == 2
    assert "missing.yml: is missing" in run.stderr
    both = ("config", "check", "a.yml", "--config.file", "b.yml")
    assert zope_exporter(*both, state_dir=tmp_path).returncode == 2


def test_a_file_that_is_named_goes_before_the_variable(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("discover: false\n")
    run = subprocess.run(
        [sys.executable, "-m", "zope_exporter", "config", "check", path],
        env={**environment(tmp_path), "ZOPE_EXPORTER_CONFIG": "missing.yml"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, f"{path}: can be used, names 0 sites\n"), run.stderr


def test_show_prints_what_the_configuration_amounts_to(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("discover: false\nsites: [{name: intranet}]\n")
    run = zope_exporter("config", "show", "--config.file", path, state_dir=tmp_path)
    assert run.stdout.startswith(f"# configuration: {path}\n")
    shown = yaml.safe_load(run.stdout)
    assert (shown["discover"], shown["sites"][0]["name"]) == (False, "intranet")


def test_the_file_that_is_used_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("discover: false\n")
    check = zope_exporter("check", "--config.file", path, state_dir=tmp_path)
    assert check.stdout.endswith(f"\nconfiguration: {path}\n")
    told = zope_exporter("--config.file", path, "check", "--json", state_dir=tmp_path)
    found = json.loads(told.stdout)
    assert (told.returncode, found["exit_code"], found["status"]) == (3, 3, "UNKNOWN")
    assert found["configuration"] == str(path)
    assert {"severity", "site", "subject", "text"} == found["findings"][0].keys()
    log = tmp_path / "log"
    with serving(tmp_path, "--config.file", path, log=log):
        assert f"configuration: {path}" in log.read_text()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """What `here` has as its /etc."""
    path = tmp_path / "etc/zope-exporter"
    path.mkdir(parents=True)
    return path


def here(etc: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command where our /etc is another one, as far as this machine lets us."""
    script = f'mount --bind "{etc.parent}" /etc && exec "$@"'
    program = [sys.executable, "-m", "zope_exporter", *command]
    run = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *program],
        env=environment(etc.parent.parent),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if os.geteuid() != 0 or "unshare:" in run.stderr or "mount:" in run.stderr:
        pytest.skip("nothing can be mounted here")
    return run


def test_every_command_finds_the_default_file(etc: Path) -> None:
    (etc / "config.yml").write_text("discover: false\nsites: [{name: intranet}]\n")
    shown = here(etc, "config", "show")
    assert shown.stdout.startswith("# configuration: /etc/zope-exporter/config.yml\n")
    assert yaml.safe_load(shown.stdout)["sites"][0]["name"] == "intranet"
    (etc / "config.yml").write_text("sights: []\n")
    for command in ("serve", "check", "jobs", "backups", "growth", "pack", "agent status"):
        run = here(etc, *command.split())
        assert run.returncode == 2
        assert "/etc/zope-exporter/config.yml:1: sights: unknown key" in run.stderr, command
