"""The host of the documentation's examples: its paths are below a directory, its site is there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.databases.packing import blob_dir_of, make_database
from tests.support.programs.documented import block
from tests.support.programs.exporter import environment

TIMEOUT = 120
CONFIG = """\
discover: false
actions: {token_file: token, pack: {days: 0}}
sites:
  - name: intranet
    instances:
      - name: client1
        data_fs: /srv/zope/var/Data.fs
        blob_dir: /srv/zope/var/blobstorage
    backup: {repository: /backup/intranet}
"""
_PATH = re.compile(r"(?<![\w.])/(etc|srv|backup|mnt|tmp)/")


class Sandbox:
    """Where blocks of the documentation can be run as they are written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("srv/zope/var", "etc/zope-exporter", "etc/prometheus", "backup", "mnt", "tmp"):
            (root / name).mkdir(parents=True)
        program = root / "bin/zope-exporter"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zope_exporter "$@"\n')
        program.chmod(0o755)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def here(self, text: str) -> str:
        """The text with the paths of this host."""
        return _PATH.sub(rf"{self.root}/\1/", text)

    def make_site(self) -> None:
        """A Data.fs with blobs, a configuration, thresholds, and a backup with a copy of it."""
        data_fs = self.path("/srv/zope/var/Data.fs")
        make_database(data_fs, blobs=4)
        blob_dir_of(data_fs).rename(data_fs.with_name("blobstorage"))
        data_fs.with_name("Data.fs.lock").unlink()  # it names this process, which lives on
        etc = self.path("/etc/zope-exporter")
        (etc / "config.yml").write_text(self.here(CONFIG))
        (etc / "token").write_text("0123456789abcdef" * 4)
        (etc / "token").chmod(0o600)
        (etc / "thresholds.yml").write_text(block("alerts", "# thresholds.yml\njob: ").text)
        done = self.run("zope-exporter backup --config.file /etc/zope-exporter/config.yml")
        assert done.returncode == 0, done.stderr
        shutil.copytree(self.path("/backup/intranet"), self.path("/mnt/vault/intranet"))
        self.path("/mnt/copy").mkdir()
        shutil.copy(data_fs, self.path("/mnt/copy"))

    def copy(self, root: Path) -> "Sandbox":
        """The same host again in another directory."""
        other = Sandbox(root)
        for name in ("srv", "backup", "mnt", "etc"):
            shutil.copytree(self.root / name, root / name, dirs_exist_ok=True)
        config = other.path("/etc/zope-exporter/config.yml")
        config.write_text(config.read_text().replace(str(self.root), str(root)))
        return other

    def run(self, line: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a line of a block in a shell."""
        environ |= {"PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", "-euc", self.here(line)],
            cwd=self.root,
            env=environment(self.root / "state") | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )


def without_proof_of_processes(line: str) -> str:
    """The line with the flag that it takes where tests may not look into all processes."""
    command, _, _ = line.partition("  #")
    restores = command.startswith("zope-exporter restore") and "--dry-run" not in command
    stopped = restores or "--rescue-pack" in command
    return f"{command} --go-by-the-lock" if stopped else line


def lines(text: str) -> list[str]:
    """The commands of a block, one a line."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
