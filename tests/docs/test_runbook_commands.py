"""The commands of the runbooks, run as printed on a stock Zope 6 and its ZEO server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.databases.maintained import TOKEN, write_token
from tests.support.programs.documented import RUNBOOKS, run_by
from tests.support.programs.exporter import environment as with_state
from tests.support.programs.exporter import serving
from tests.support.programs.require import require
from tests.support.programs.sandbox import lines
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.discovery.site_paths import NAMES

BLOCKS = run_by("tests/docs/test_runbook_commands.py")
SETTING = 'eval "$(zope-exporter paths SITE)"'
COMMANDS = sorted({line for block in BLOCKS for line in lines(block.text)} - {SETTING})
CONFIG = """\
discover: false
actions: {token_file: token, pack: {days: 0, cooldown: 0s}, backup: {cooldown: 0s}}
sites:
  - name: intranet
    instances: [{zope_conf: site/etc/zope.conf, wsgi_ini: site/etc/zope.ini}]
    zeo: [{conf: zeo/zeo.conf}]
    backup: {repository: backup}
"""
# What each command looks for, as Zope and ZODB write it.
RECORDS = """\
2026-11-30 03:00:00 ERROR [Zope.SiteErrorLog:252][waitress-0] Exception while serving /broken
Traceback (innermost last):
{frames}
ValueError: no such thing
2026-11-30 03:00:01 CRITICAL [ZODB.FileStorage:1][waitress-0] Failure in _finish. Closing.
2026-11-30 03:00:02 ERROR [ZODB:1][waitress-0] ZODB.POSException.POSKeyError: 0x2a
2026-11-30 03:00:03 INFO [ZPublisher.Conflict:1] ConflictError at /: database conflict error \
(oid 0x2a, class BTrees.OOBTree.OOBTree, serial this txn started with 0x00)
2026-11-30 03:00:04 WARNING [ZODB.DB:1] DB.open() has 8 open connections with a pool_size of 7
2026-11-30 03:00:05 WARNING [OFS:1] Could not import class; broken object Products.Gone
2026-11-30 03:00:06 ERROR [root:1] OSError: [Errno 28] No space left on device
2026-11-30 03:00:07 WARNING [ZEO.ClientStorage:1] Disconnected from storage
"""
FAILED = '127.0.0.1 - - [30/Nov/2026:03:00:00 +0000] "GET /broken HTTP/1.1" 500 9 "-" "curl"\n'
# Nothing may be found: such mounts, sockets, settings or requests are on few hosts.
QUIET = re.compile(
    r"^(mount|findmnt -t|ss |du -sh|grep -n (-E )?'?(cache|pool|debug|blob|threads|form))"
)


@dataclass
class Site:
    root: Path
    paths: str

    def run(self, line: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        bin_directory = f"{self.root}/bin:{Path(sys.executable).parent}"
        return subprocess.run(
            ["bash", "-c", line.replace("/safe/place", f"{self.root}/safe")],
            cwd=self.root,
            env=with_state(self.root / "state")
            | {
                "PATH": f"{bin_directory}:{os.environ['PATH']}",
                "ZOPE_EXPORTER_CONFIG": str(self.root / "config.yml"),
                "TOKEN": TOKEN,
            }
            | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("runbooks")
    for name in ("bin", "safe", "backup"):
        (root / name).mkdir()
    program = root / "bin/zope-exporter"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zope_exporter "$@"\n')
    program.chmod(0o755)
    (root / "config.yml").write_text(CONFIG)
    write_token(root / "token")
    zope = require(environment, "zope63")
    with ExitStack() as ending:
        zeo = ending.enter_context(
            ZeoServer(zope, root / "zeo", storage_settings=f"blob-dir {root}/blobs")
        )
        ending.enter_context(ZopeInstance(zope, root / "site", storage=zeo.client()))
        told = Site(root, "").run("zope-exporter paths intranet")  # others may run here too
        assert told.returncode == 0, told.stderr
        prepare(root)
        log = root / "exporter.log"
        exporter = ending.enter_context(
            serving(root / "state", "--config.file", root / "config.yml", log=log)
        )
        yield Site(root, f"{told.stdout}EXPORTER={exporter.url}\n")


def prepare(root: Path) -> None:
    """Have everything in the logs that a runbook looks for, and a backup."""
    frames = "\n".join(f"  Module deep, line {number}" for number in range(32))
    with (root / "site/var/log/event.log").open("a") as log:
        log.write(RECORDS.format(frames=frames))
    with (root / "site/var/log/Z4.log").open("a") as log:
        log.write(FAILED)
    done = Site(root, "").run("zope-exporter backup intranet && cp zeo/1.fs safe/damaged.fs")
    assert done.returncode == 0, done.stderr


def test_all_that_is_there_is_found_in_the_stock_layout(site: Site) -> None:
    found = dict(re.findall(r"^([A-Z_]+)=(.*)$", site.paths, re.MULTILINE))
    home = site.root / "site"
    assert found["EVENT_LOG"] == f"{home}/var/log/event.log"
    assert found["ACCESS_LOG"] == f"{home}/var/log/Z4.log"
    assert found["PID_FILE"] == f"{home}/var/Z4.pid"
    assert found["DATA_FS"] == f"{site.root}/zeo/1.fs"
    assert found.keys() >= NAMES.keys()
    set_by_eval = f"{SETTING.replace('SITE', 'intranet')}\n"
    pid = site.run(f'{set_by_eval}ps -ww -o args= -p "$PID"; cat "$PID_FILE"')
    assert "zope.ini" in pid.stdout
    assert found["PID"] in pid.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, site: Site) -> None:
    line = command.replace("http://localhost:9673", '"$EXPORTER"')
    if " damaged.fs" in line:
        line = f"cd safe && rm -f repaired.fs && {line}"
    if "zope-exporter restore" in line:
        line = f"rm -f safe/Data.fs safe/restored.fs; {line}"
    if re.match(r"(fsrefs|python .*) /safe", line):
        line = f"cp zeo/1.fs safe/Data.fs && {line}"
    line = line.replace(" jobs 17 ", " jobs 1 ")
    done = site.run(f"{site.paths}{line}")
    for complaint in ("No such file", "Traceback", "not found", "invalid", "syntax error"):
        assert complaint not in done.stderr, done.stderr
    if not QUIET.match(command):
        assert done.returncode in good(command), f"{done.stdout}{done.stderr}"
        assert done.stdout or done.stderr or command.startswith(("cp ", "fsrefs "))


def good(command: str) -> set[int]:
    return {0, 1, 2, 3} if re.match(r"zope-exporter (check|agent status|slow)", command) else {0}


def test_every_command_is_run_or_says_why_not() -> None:
    """What is printed in a runbook is in a block with a mark, however far it is indented."""
    for page in RUNBOOKS:
        text = page.read_text()
        marked = re.findall(r"^<!-- (?:run by|not run:) .*-->\n```sh$", text, re.MULTILINE)
        assert len(re.findall(r"^ *```sh$", text, re.MULTILINE)) == len(marked), page.name


def test_the_variables_are_set_before_they_are_used() -> None:
    for page in RUNBOOKS:
        text = page.read_text()
        used = re.search(r'"\$[A-Z_]+"', text)
        assert used is None or SETTING in text[: used.start()], page.name
        assert set(re.findall(r'"\$([A-Z_]+)"', text)) <= NAMES.keys(), page.name


def test_whoever_is_told_to_use_py_spy_is_told_how_to_install_it() -> None:
    for page in RUNBOOKS:
        text = page.read_text()
        assert ("py-spy dump" in text) == ("troubleshooting.md#py-spy" in text), page.name
