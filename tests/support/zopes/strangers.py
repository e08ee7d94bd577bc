"""A Zope, and somebody else on its host who pretends to have to do with it."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

from tests.support.zopes.lookalikes import program, running, zope_instance

ZOPE, FIRST = 54_321, 54_320
BECOME = """
import os, sys
os.setgroups([])
os.setgid(int(os.environ["BECOME"]))
os.setuid(int(os.environ["BECOME"]))
print("ready", flush=True)
sys.stdin.read()
"""


class SharedHost:
    """A host with the Zope of the site `good`; whoever is asked to can start something else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.good = directory / "good"
        self.data_fs = self.good / "var/Data.fs"
        self.instance("good", ZOPE)
        self.script = program(directory / "bin/runwsgi", BECOME)

    def instance(self, home: str, owner: int, storage: str = "") -> Path:
        """Make an instance with a Data.fs, all of it of one owner."""
        ini = zope_instance(self.directory / home, storage)
        (self.directory / home / "var").mkdir()
        (self.directory / home / "var/Data.fs").write_bytes(b"FS21")
        self.give(home, owner)
        return ini

    def give(self, home: str, owner: int) -> None:
        """Make all of it one user's."""
        for path in (self.directory / home, *(self.directory / home).rglob("*")):
            os.chown(path, owner, owner)

    def start(self, ini: Path, user: int) -> "AbstractContextManager[Popen[str]]":
        environ = {**os.environ, "BECOME": str(user)}
        return running(self.script, ini, cwd=ini.parent, environ=environ)
