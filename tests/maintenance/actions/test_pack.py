"""Packs by the command, of real files and through a real ZEO server."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.databases.maintained import SlowServer
from tests.support.databases.packing import items, make_database
from tests.support.faults.small_disk import small_disk_at
from tests.support.programs.children import WAIT, child, lines_until_ready
from tests.support.programs.exporter import DEADLINE, environment, zope_exporter
from tests.support.programs.processes import eventually
from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.actions.garbage import known_garbage
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Store

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


def test_known_garbage_counts_for_the_room_of_a_pack_and_for_its_progress(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "var", "size=70m") as disk:
        data_fs = disk / "Data.fs"
        make_database(data_fs, revisions=50, size=100_000)
        size = data_fs.stat().st_size
        # Of what is left after five megabytes 64 must stay free at the worst moment.
        config = configured(tmp_path / "config.yml", f"instances: [{{data_fs: {data_fs}}}]")
        refused = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
        assert refused.returncode == 3, refused.stderr
        assert "a pack may need" in refused.stderr
        state = tmp_path / "state.sqlite3"
        rescan = Rescan(Followed(data_fs, Store(state, data_fs)))
        while rescan.step():
            pass
        garbage = known_garbage(state, Storage("main", data_fs))
        assert garbage
        # What a pack that keeps history leaves, nobody can tell.
        kept = zope_exporter("pack", "--days", "1", "--config.file", config, state_dir=tmp_path)
        assert kept.returncode == 3, kept.stderr
        run = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
        assert run.returncode == 0, run.stderr
        assert size - data_fs.stat().st_size >= garbage.total > 0
        assert known_garbage(state, Storage("main", data_fs)) is None


EXPORTER = """
import signal, sys, threading
from pathlib import Path
from zope_exporter.config.load import load_config
from zope_exporter.app.exporter import Exporter
ending = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ending.set())
exporter = Exporter(load_config(Path(sys.argv[1])))
exporter.inventory()
submission = exporter.runner.submit("pack", "intranet", "main", "a test")
assert submission.job, submission
print("ready", flush=True)
ending.wait()
exporter.stop()
"""


def test_promise_11_exactly_one_pack_whoever_asks_and_dies(tmp_path: Path) -> None:
    with SlowServer(tmp_path) as server:
        config = configured(tmp_path / "config.yml", server.site)
        command = [sys.executable, "-m", "zope_exporter", "pack", "--config.file", str(config)]
        with subprocess.Popen(command, env=environment(tmp_path)) as first:
            eventually(lambda: server.packs("started..."), DEADLINE)
            second = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
            assert second.returncode == 3
            assert "running already as job 1" in second.stderr
            _of_a_running_pack(config, tmp_path)
            first.kill()
        third = zope_exporter("pack", "--config.file", config, state_dir=tmp_path)
        assert third.returncode in (1, 3), third.stderr
        server.go_on()
        assert server.packs("complete") == 1
    _, killed = JobStore(tmp_path / "state.sqlite3").jobs()
    assert (killed.state, killed.code) == ("interrupted", "died")
    assert "continues by itself" in killed.error


def _of_a_running_pack(config: Path, state: Path) -> None:
    planned = zope_exporter("plan", "pack", "--json", "--config.file", config, state_dir=state)
    assert planned.returncode == 3, planned.stderr
    found = json.loads(planned.stdout)
    assert (found["way"]["engine"], found["runs"]["jobs"][0]["state"]) == (
        "the ZEO server",
        "running",
    )
    assert {"duplicate", "busy"} <= {each["code"] for each in found["refusals"]}
    assert "cannot be stopped" in found["meanwhile"]["text"]


def test_an_exporter_that_is_told_to_end_leaves_a_pack_to_the_server_and_says_so(
    tmp_path: Path,
) -> None:
    with SlowServer(tmp_path) as server:
        config = configured(tmp_path / "config.yml", server.site)
        config.write_text(config.read_text() + f"state_dir: {tmp_path}\n")
        with child(EXPORTER, str(config)) as exporter:
            lines_until_ready(exporter)
            eventually(lambda: server.packs("started..."), DEADLINE)
            exporter.terminate()
            assert exporter.wait(DEADLINE) == 0
        (job,) = JobStore(tmp_path / "state.sqlite3").jobs()
        assert (job.state, job.code) == ("interrupted", "stopped")
        assert any("the pack continues in the ZEO server" in line for line in job.log)
        server.go_on()
        assert server.packs("complete") == 1
