"""Sites whose databases are maintained by the commands or an exporter."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.databases.packing import blob_dir_of, make_database
from tests.support.programs.exporter import DEADLINE, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from zope_exporter.maintenance.jobs.job import Job
from zope_exporter.maintenance.jobs.store import JobStore

TOKEN = "0123456789abcdef" * 4


def write_token(path: Path) -> None:
    path.write_text(TOKEN)
    path.chmod(0o600)


class Host:
    """A site with a Data.fs and blobs, backed up by the commands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data_fs = directory / "var/Data.fs"
        self.repository = directory / "backups"
        self.config = directory / "zope-exporter.yml"
        self.data_fs.parent.mkdir()
        make_database(self.data_fs, blobs=4)
        self.data_fs.with_name("Data.fs.lock").unlink()  # it names this process, which lives on
        write_token(directory / "token")
        instance = f"{{data_fs: {self.data_fs}, blob_dir: {blob_dir_of(self.data_fs)}}}"
        self.config.write_text(
            "discover: false\n"
            "actions: {token_file: token, pack: {days: 0}}\n"
            "sites:\n"
            "  - name: intranet\n"
            f"    instances: [{instance}]\n"
            "    backup: {repository: backups}\n"
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return zope_exporter(*arguments, "--config.file", self.config, state_dir=self.directory)

    def jobs(self) -> list[Job]:
        """The oldest first."""
        return JobStore(self.directory / "state.sqlite3").jobs()[::-1]

    def page(self) -> dict[str, float]:
        """What an exporter tells of the backups."""
        labels = {"site": "intranet", "database": "main"}
        names = ("last_success", "last_verified", "covered_transaction")
        log = self.directory / "log"
        with serving(self.directory, "--config.file", self.config, log=log) as exporter:
            page = exporter.page()
        found = {name: f"zope_backup_{name}_timestamp_seconds" for name in names}
        return {
            name: page[full][frozenset(labels.items())]
            for name, full in found.items()
            if full in page
        }


class SlowServer:
    """A ZEO server whose packs wait until `go_on`; as a context, it runs."""

    def __init__(self, directory: Path) -> None:
        self._gate = directory / "gate"
        os.mkfifo(self._gate)
        settings = (
            "packer ZODB.FileStorage.FileStorage:lambda *arguments:"
            f" (open('{self._gate}').read(), FileStorage.packer(*arguments))[1]"
        )
        own = Environment("own", Path(sys.prefix))
        self._server = ZeoServer(own, directory / "zeo", ("main",), storage_settings=settings)
        make_database(self._server.data_fs("main"))
        self.site = f"zeo: [{{conf: {self._server.zeo_conf}}}]"

    def __enter__(self) -> "SlowServer":
        self._server.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.__exit__(*raised)

    def packs(self, word: str) -> int:
        lines = self._server.event_log.read_text().splitlines()
        return sum("pack(time=" in line and line.endswith(word) for line in lines)

    def go_on(self) -> None:
        self._gate.write_text("")
        eventually(lambda: self.packs("complete"), DEADLINE)
