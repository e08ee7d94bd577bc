"""What the documentation says to do on a host with systemd, done there word for word."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.programs.booted import Booted
from tests.support.programs.deployed import URL, deployed
from tests.support.programs.documented import run_by
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zopes.environments import environment

BLOCKS = run_by("tests/deploy/test_documented_units.py")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """Where Zope runs, and the exporter is installed at the documented path and not set up."""
    zope = require(environment, "zope63")
    root = tmp_path_factory.mktemp("host") / "root"
    with ExitStack() as ending:
        host = require(ending.enter_context, deployed(root, zope))
        for unit in (root / "etc/systemd/system").glob("zope-exporter*"):
            unit.unlink()
        (root / "root").mkdir(exist_ok=True)
        host.systemctl("daemon-reload")
        yield host


def follow(host: Booted, part: str) -> None:
    """Run the blocks that have this in them, as root."""
    for block in BLOCKS:
        if part in block.text:
            path = "export PATH=/opt/zope-exporter/bin:$PATH"
            done = host.run("bash", "-euc", f"{path}\n{block.text}")
            assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"


def test_the_exporter_and_the_timers_run(host: Booted) -> None:
    follow(host, "enable --now zope-exporter\n")
    eventually(lambda: host.ask(f"{URL}/-/ready")[0] == 200, 60)
    status, page = host.ask(f"{URL}/docs")
    assert status == 200
    assert "Documentation" in page
    follow(host, "enable --now zope-exporter-backup.timer")
    for action in ("backup", "verify", "pack"):
        found = host.properties(f"zope-exporter-{action}.timer", "ActiveState")
        assert found == {"ActiveState": "active"}
