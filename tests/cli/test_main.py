import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.support.programs.exporter import DEADLINE, serving, zope_exporter
from zope_exporter.cli.group import options_of
from zope_exporter.cli.main import main

# With nothing to watch no exporter calls itself well.
NOTHING_FOUND = frozenset({("collector", "discovery")})


@pytest.fixture
def quiet_config(tmp_path: Path) -> Path:
    """A configuration that keeps away from whatever else runs on this host."""
    path = tmp_path / "zope-exporter.yml"
    path.write_text("discover: false\n")
    return path


def test_help_lists_the_flags_of_serve_and_all_commands(tmp_path: Path) -> None:
    run = zope_exporter("--help", state_dir=tmp_path)
    assert run.returncode == 0
    for word in ("--config.file", "--web.listen-address", "--log.level", "check", "demo", "forget"):
        assert word in run.stdout


def test_version(tmp_path: Path) -> None:
    run = zope_exporter("--version", state_dir=tmp_path)
    assert run.stdout.startswith("zope_exporter, version ")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_serving_is_what_it_does_without_a_command(
    tmp_path: Path, quiet_config: Path, end: signal.Signals
) -> None:
    log = tmp_path / "log"
    with serving(tmp_path, "--config.file", quiet_config, log=log) as exporter:
        page = exporter.page()
        success = page["zope_collector_success"]
        assert {labels for labels, value in success.items() if not value} == {NOTHING_FOUND}
        for path in ("/-/healthy", "/-/ready"):  # it has answered a scrape, so it is both
            assert httpx.get(f"{exporter.url}{path}", trust_env=False).status_code == 200
        exporter.process.send_signal(end)
        assert exporter.process.wait(DEADLINE) == 0
    assert "Traceback" not in log.read_text()


def test_serve_can_be_named_and_takes_its_flags(tmp_path: Path, quiet_config: Path) -> None:
    log = tmp_path / "log"
    flags = ("serve", "--web.listen-address", "127.0.0.1:nonsense")
    run = zope_exporter(*flags, "--config.file", quiet_config, state_dir=tmp_path)
    assert run.returncode == 2
    assert "--web.listen-address" in run.stderr
    path = ("--web.telemetry-path", "/probe", "--log.format", "json")
    with serving(tmp_path, "--config.file", quiet_config, *path, log=log) as exporter:
        assert httpx.get(f"{exporter.url}/probe", trust_env=False).status_code == 200
        assert httpx.get(f"{exporter.url}/metrics", trust_env=False).status_code == 404


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--config.file", "missing.yml"), "missing.yml: is missing"),
        # Of any port, as it is taken before that file is read, and others may have ours.
        (
            ("--web.config.file", "missing.yml", "--web.listen-address", "127.0.0.1:0"),
            "missing.yml: is missing",
        ),
        (("--web.telemetry-path", "nonsense"), "--web.telemetry-path"),
        (("--log.level", "loud"), "--log.level"),
        (("check", "--config.file", "missing.yml"), "missing.yml: is missing"),
        (("forget", "x", "--config.file", "missing.yml"), "missing.yml: is missing"),
        (("nonsense",), "No such command"),
        (("--config.file", "missing.yml", "check"), "missing.yml: is missing"),
        (("--config.file=missing.yml", "agent", "status"), "missing.yml: is missing"),
        (("--log.level", "warn", "--config.file", "missing.yml"), "missing.yml: is missing"),
        (("--quiet", "--config.file", "missing.yml", "check"), "missing.yml: is missing"),
        (("--config.file", "a.yml", "jobs", "--config.file", "b.yml"), "b.yml: is missing"),
        (("--config.file", "missing.yml", "nonsense"), "No such command 'nonsense'"),
        (("--config.file", "missing.yml", "agent", "nonsense"), "No such command 'nonsense'"),
        (("--config.fil", "missing.yml", "check"), "No such option"),
        (("--config.file", "missing.yml", "metrics"), "No such option"),
    ],
    ids=" ".join,
)
def test_mistakes_end_it_with_exit_code_2_and_a_reason(
    tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    run = zope_exporter(*flags, state_dir=tmp_path)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = zope_exporter("--web.listen-address", address, state_dir=tmp_path)
    assert run.returncode == 2
    assert "the port is in use" in run.stderr


def test_check_of_a_host_without_zope_is_unknown(tmp_path: Path, quiet_config: Path) -> None:
    run = zope_exporter("check", "--config.file", quiet_config, state_dir=tmp_path)
    assert run.returncode == 3
    assert run.stdout.startswith("UNKNOWN: ")


def test_check_of_a_zope_that_does_not_run_is_critical(tmp_path: Path) -> None:
    conf = tmp_path / "zope.conf"
    conf.write_text(f"instancehome {tmp_path}\n")
    config = tmp_path / "zope-exporter.yml"
    config.write_text(
        f"discover: false\nsites: [{{name: intranet, instances: [{{zope_conf: {conf}}}]}}]\n"
    )
    run = zope_exporter("check", "--quiet", "--config.file", config, state_dir=tmp_path)
    assert run.returncode == 2
    assert "is not running" in run.stdout


def test_forgetting_what_was_never_known_is_said(tmp_path: Path) -> None:
    run = zope_exporter("forget", "nobody", state_dir=tmp_path)
    assert run.returncode == 1
    assert "nothing is remembered under the name nobody" in run.stderr


def test_an_option_takes_a_value_of_every_command_or_of_none() -> None:
    # Else nobody could tell which word before a command is the command.
    found = list(options_of(main))
    assert len(dict(found)) == len(set(found))


def test_metrics_prints_the_reference(tmp_path: Path) -> None:
    run = zope_exporter("metrics", state_dir=tmp_path)
    assert "| `zope_process_up` | gauge | `site`, `zope` |" in run.stdout
