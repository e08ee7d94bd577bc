"""The commands of the documentation, run as they are written, on a site at the paths it uses."""

import re
from pathlib import Path

import pytest
import yaml

from tests.support.programs.documented import Block, run_by
from tests.support.programs.sandbox import Sandbox, lines, without_proof_of_processes

BLOCKS = run_by("tests/docs/test_commands.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = Sandbox(tmp_path_factory.mktemp("documented") / "host")
    sandbox.make_site()
    return sandbox


def prepare(sandbox: Sandbox, text: str) -> None:
    data_fs = sandbox.path("/srv/zope/var/Data.fs")
    if "--rescue-pack" in text:
        data_fs.with_name("Data.fs.old").write_bytes(data_fs.read_bytes())
        data_fs.rename(data_fs.with_name("Data.fs.pack"))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_commands(block: Block, site: Sandbox, tmp_path: Path) -> None:
    sandbox = site.copy(tmp_path / "host")
    prepare(sandbox, block.text)
    for line in lines(block.text):
        done = sandbox.run(without_proof_of_processes(line))
        # What else runs on this machine may be in any state; that of the site is for other tests.
        good = {0, 1, 2, 3} if line.startswith("zope-exporter check") else {0}
        assert done.returncode in good, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout or done.stderr or line.startswith(("cp ", "mkdir "))


def test_alertmanager_finds_all_that_its_configuration_names(site: Sandbox, tmp_path: Path) -> None:
    """It starts without its templates, and mails without a subject and a text."""
    sandbox = site.copy(tmp_path / "host")
    [block] = [block for block in BLOCKS if "alertmanager.yml" in block.text]
    for line in lines(block.text):
        assert sandbox.run(line).returncode == 0
    etc = sandbox.path("/etc/prometheus")
    text = (etc / "alertmanager.yml").read_text()
    named = [*yaml.safe_load(text)["templates"], *re.findall(r"credentials_file: ([^}]+)}", text)]
    assert len(named) > 1
    assert [name for name in named if not (etc / name).is_file()] == []


def test_there_are_blocks() -> None:
    assert len(BLOCKS) > 10
