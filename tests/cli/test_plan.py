"""What is said before a pack, and that it is what the pack does then."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.test_looks import contents
from tests.support.databases.maintained import Host
from tests.support.databases.packing import commit_more
from tests.support.databases.repository import tree
from tests.support.jobs.jobs import MAIN, has_run, work
from tests.support.programs.children import WAIT, child, lines_until_ready
from tests.support.programs.exporter import DEADLINE, serving, zope_exporter
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import Rescan
from zope_exporter.storage.filestorage.state import Store

GOLDEN = Path(__file__).parent / "golden"
# What is another at each run: the moment, and the disk that the tests are on.
VARIABLE = (
    (r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d", "STAMP"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", "TIME"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "TIME"),
    (r"transaction [0-9a-f]{16}", "transaction TID"),
    (r"\d+ (s|min) ago", "SPAN ago"),
    (r"about [^;]* by the last one, which took [^;]*", "about SPAN by the last one, took SPAN"),
    (r"\S+ [kMGT]B of \S+ [kMGT]B that are", "SIZE of SIZE that are"),
    (r"\d+ processes of other users may not be inspected[^;]*; ", ""),
    (r"\S+ [MGT]B are free now, \S+ [MGT]B once", "SIZE are free now, SIZE once"),
    (r"at least \S+ [MGT]B", "at least SIZE"),
)


OPEN = f"""
import sys
from ZODB.FileStorage import FileStorage
storage = FileStorage(sys.argv[1])
{WAIT}
"""


def masked(text: str, directory: Path | None = None) -> str:
    text = text.replace(str(directory), "DIR") if directory else text
    for variable, name in VARIABLE:
        text = re.sub(variable, name, text)
    return text


def count(host: Host) -> None:
    """Count the Data.fs as an exporter that serves does."""
    rescan = Rescan(Followed(host.data_fs, Store(host.directory / "state.sqlite3", host.data_fs)))
    while rescan.step():
        pass


def plan(host: Host, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = host.run("plan", *arguments, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_is_said_before_a_pack_is_what_it_does(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.run("backup").returncode == 0
    commit_more(host.data_fs)
    host.data_fs.with_name("Data.fs.lock").unlink()
    count(host)
    size = host.data_fs.stat().st_size
    for ago, took, of in ((86400.0, 100.0, size // 2), (7200.0, 300.0, size)):
        has_run(tmp_path / "state.sqlite3", time.time() - ago, took, {"before_bytes": of})
    before = tree(host.data_fs.parent), tree(host.repository)
    told = host.run("plan", "pack", "intranet")
    assert told.returncode == 0, told.stderr
    assert masked(told.stdout) == (GOLDEN / "plan_pack.txt").read_text()
    found = plan(host, "pack", "intranet", "main")
    assert (tree(host.data_fs.parent), tree(host.repository)) == before
    assert (found["site"], found["database"], found["allowed"]) == ("intranet", "main", True)
    assert found["takes"]["seconds"] == pytest.approx(250, abs=1)
    [piece] = host.repository.glob("*.fs")
    assert (found["backup"]["stamp"], found["backup"]["proven_by"]) == (piece.stem, "restore")
    assert found["backup"]["covers_everything"] is False
    frees = found["frees"]
    assert host.run("pack").returncode == 0
    freed = size - host.data_fs.stat().st_size
    assert (frees["data_bytes"], frees["at_most"]) == (size, False)
    assert frees["history_bytes"] + frees["unreachable_bytes"] == freed
    assert found["room"]["written_bytes"] == size - freed
    assert (
        found["room"]["kept_as_old_bytes"] == host.data_fs.with_name("Data.fs.old").stat().st_size
    )


def test_what_is_in_the_way_of_a_pack_is_said_all_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path)
    JobStore(tmp_path / "state.sqlite3").add(work(tmp_path), "shell")
    with locked(host.data_fs.parent):
        found = plan(host, "pack", "--days", "7", "--database", "main", code=3)
    assert [each["code"] for each in found["refusals"]] == ["backup", "duplicate", "busy"]
    assert found["allowed"] is False
    assert found["runs"]["jobs"] == [{"id": 1, **MAIN._asdict(), "state": "queued"}]
    assert found["runs"]["lock_held_by"].startswith(f"process {os.getpid()} (")
    # What is not known is said to be, and is no zero.
    assert (found["frees"]["history_bytes"], found["takes"]["seconds"]) == (None, None)
    assert found["takes"]["text"].startswith("unknown: no pack of main of intranet")
    assert found["frees"]["at_most"] is True
    assert found["backup"]["stamp"] is None


def test_the_dialogue_of_the_page_says_what_plan_pack_says(tmp_path: Path) -> None:
    host = Host(tmp_path)
    count(host)
    has_run(tmp_path / "state.sqlite3", time.time() - 7200.0, 300.0, {})
    flags = "--config.file", host.config
    with serving(tmp_path, *flags, log=tmp_path / "log") as exporter, locked(host.data_fs.parent):

        def told(database: str) -> httpx.Response:
            url = f"{exporter.url}/-/plan/pack?site=intranet&database={database}"
            return httpx.get(url, timeout=DEADLINE, trust_env=False)

        page, shell = told("main").json(), host.run("plan", "pack", "intranet")
        assert told("other").status_code == 404
    assert shell.returncode == 3, shell.stderr
    lines = [line.split(maxsplit=1) for line in masked(shell.stdout).splitlines()]
    assert [[name, masked(text)] for name, text in page] == lines
    texts = dict(page)
    assert f"process {os.getpid()} (" in texts["runs"]
    assert texts["takes"].startswith("about 5 min by the last one")
    assert {"frees", "room", "undo", "backup", "meanwhile", "refused"} <= texts.keys()


def test_nothing_is_planned_for_what_is_not_there(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for named, said in ((("nobody",), "no site is called nobody"), (("intranet", "x"), "called x")):
        done = host.run("plan", "pack", *named)
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr


def test_what_is_said_before_a_restore(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.run("backup").returncode == 0
    [piece] = host.repository.glob("*.fs")
    commit_more(host.data_fs)
    before = contents(host.data_fs.parent), contents(host.repository)
    told = host.run("plan", "restore", "intranet", "--at", piece.stem)
    assert told.returncode == 0, told.stderr
    assert masked(told.stdout, tmp_path) == (GOLDEN / "plan_restore.txt").read_text()
    assert (contents(host.data_fs.parent), contents(host.repository)) == before
    with child(OPEN, str(host.data_fs)) as zope:
        lines_until_ready(zope)
        found = plan(host, "restore", f"{host.repository}/", code=3)
    assert (found["site"], found["database"]) == ("intranet", "main")
    assert [each["code"] for each in found["refusals"]] == ["open", "running"]
    assert found["meanwhile"]["open_by"] == [zope.pid]
    assert (found["proof"]["proven_by"], found["lost"]["transactions"]) == ("restore", 1)
    assert found["size"]["data_bytes"] == piece.stat().st_size


@pytest.mark.parametrize(
    ("source", "said"),
    [("nobody", "no backups of a site called nobody"), ("./nothing", "has no complete backup")],
)
def test_what_cannot_be_restored_is_said(tmp_path: Path, source: str, said: str) -> None:
    config = tmp_path / "config.yml"
    config.write_text("discover: false\n")
    flags = "--config.file", config
    done = zope_exporter("plan", "restore", source, *flags, state_dir=tmp_path)
    assert (done.returncode, said in done.stderr) == (3, True), done.stderr


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
