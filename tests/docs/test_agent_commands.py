"""The documented commands that need the Python of a Zope, or an exporter that serves."""

import json
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases.maintained import TOKEN, write_token
from tests.support.programs.documented import Block, run_by
from tests.support.programs.exporter import serving
from tests.support.programs.sandbox import Sandbox, lines
from tests.support.zopes.fake_agent import answering, fake_agent, http

BLOCKS = run_by("tests/docs/test_agent_commands.py")
SERVED = [block for block in BLOCKS if "curl" in block.text]
OTHERS = [block for block in BLOCKS if "curl" not in block.text]
CONFIG = """\
discover: false
actions: {token_file: token, backup: {cooldown: 0s}}
sites:
  - name: intranet
    instances: [{name: client1, agent: "unix:/srv/zope/agent.sock", data_fs: /srv/zope/var/Data.fs}]
    backup: {repository: /backup/intranet}
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_the_agent_is_installed_or_written(block: Block, sandbox: Sandbox) -> None:
    venv.create(sandbox.path("/srv/zope"), with_pip=False, symlinks=True)
    for line in lines(block.text):
        done = sandbox.run(line)
        assert done.returncode == 0 or "agent status" in line, f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        if "agent wheel" in line:
            assert Path(sandbox.root, line.split("writes ")[1]).exists()


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    sandbox.make_site()
    etc = sandbox.path("/etc/zope-exporter")
    (etc / "config.yml").write_text(sandbox.here(CONFIG))
    write_token(etc / "token")
    agent = fake_agent(
        sandbox.path("/srv/zope/agent.sock"), answering(http({"protocol": 1, "requests": []}))
    )
    flags = "--config.file", etc / "config.yml"
    with ExitStack() as ending:
        ending.enter_context(agent)
        log = sandbox.root / "log"
        yield ending.enter_context(serving(sandbox.root / "state", *flags, log=log)).url


@pytest.mark.parametrize("block", SERVED, ids=str)
def test_the_exporter_answers(block: Block, sandbox: Sandbox, url: str) -> None:
    for line in lines(block.text):
        done = sandbox.run(line.replace("http://localhost:9673", url), TOKEN=TOKEN)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        answer = json.loads(done.stdout)
        assert "error" not in answer or not answer["error"], line
