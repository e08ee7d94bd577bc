"""Packs by the command, of real files and through a real ZEO server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.children import WAIT, child, lines_until_ready
from tests.support.environments import Environment
from tests.support.exporter import DEADLINE, environment, zope_exporter
from tests.support.packing import items, make_database
from tests.support.processes import eventually
from tests.support.zeo import ZeoServer
from zope_exporter.jobs.store import JobStore

HOLDER = f"""
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
{WAIT}
"""


def configured(path: Path, site: str) -> Path:
    """A configuration file of one site, which keeps history for no day."""
    path.write_text(
        "discover: false\n"
        f"sites: [{{name: intranet, {site}}}]\n"
        "actions: {token_file: token, pack: {days: 0}}\n"
    )
    return path


def test_a_file_that_nobody_has_open_is_packed(tmp_path: Path) -> None:
    data_fs = tmp_path / "var/Data.fs"
    data_fs.parent.mkdir()
    make_database(data_fs)
    config = configured(tmp_path / "config.yml", f"instances: [{{data_fs: {data_fs}}}]")
    before, size = items(data_fs), data_fs.stat().st_size
    with child(HOLDER, str(data_fs)) as holder:
        lines_until_ready(holder)
        refused = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
    assert refused.returncode == 3, refused.stderr
    assert data_fs.stat().st_size == size
    run = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "pack of main of intranet: succeeded" in run.stdout
    assert data_fs.stat().st_size < size
    assert items(data_fs) == before
    packed, kept_away = JobStore(tmp_path / "state.sqlite3").jobs()
    assert (packed.state, packed.result["before_bytes"]) == ("succeeded", size)
    assert packed.result["after_bytes"] == data_fs.stat().st_size
    assert (kept_away.state, kept_away.code) == ("refused", "no_way")


def test_promise_11_exactly_one_pack_whoever_asks_and_dies(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    settings = (
        "packer ZODB.FileStorage.FileStorage:lambda *arguments:"
        f" (open('{gate}').read(), FileStorage.packer(*arguments))[1]"
    )
    own = Environment("own", Path(sys.prefix))
    server = ZeoServer(own, tmp_path / "zeo", storages=("main",), storage_settings=settings)
    make_database(server.data_fs("main"))
    config = configured(tmp_path / "config.yml", f"zeo: [{{conf: {server.zeo_conf}}}]")
    command = [sys.executable, "-m", "zope_exporter", "pack", "--config.file", str(config)]

    def packs(word: str) -> int:
        lines = server.event_log.read_text().splitlines()
        return sum("pack(time=" in line and line.endswith(word) for line in lines)

    with server:
        with subprocess.Popen(command, env=environment(tmp_path)) as first:
            eventually(lambda: packs("started..."), DEADLINE)
            second = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
            assert second.returncode == 3
            assert "running already as job 1" in second.stderr
            first.send_signal(signal.SIGKILL)
        third = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
        assert third.returncode in (1, 3), third.stderr
        gate.write_text("")
        eventually(lambda: packs("complete"), DEADLINE)
        assert packs("complete") == 1
    _, killed = JobStore(tmp_path / "state.sqlite3").jobs()
    assert (killed.state, killed.code) == ("interrupted", "died")
    assert "goes on with it by itself" in killed.error
