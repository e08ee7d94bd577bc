"""A database with what the objects of a Plone site are in it, written where Plone is not needed.

Only the process that writes has such classes; whoever reads could not load one.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from tests.support.programs.children import child, lines_until_ready

_WRITER = """
import sys, types
import transaction, ZODB, ZODB.config
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.mapping import PersistentMapping

def make(path):
    module, name = path.rsplit(".", 1)
    made = type(name, (Persistent,), {"__module__": module})
    parts = module.split(".")
    for number in range(len(parts)):
        own = ".".join(parts[: number + 1])
        sys.modules.setdefault(own, types.ModuleType(own)).__path__ = []
    setattr(sys.modules[module], name, made)
    return made

Application = make("OFS.Application.Application")
Folder = make("OFS.Folder.Folder")
Site = make("Products.CMFPlone.Portal.PloneSite")
Tool = make("Products.GenericSetup.tool.SetupTool")

def site(versions, persistent=True, tree=0):
    made, tool = Site(), Tool()
    tool._profile_upgrade_versions = PersistentMapping(versions) if persistent else versions
    if tree:
        made._tree = OOBTree({"item-%d" % number: Folder() for number in range(tree)})
        made._tree["portal_setup"] = tool
    else:
        made.portal_setup = tool
    made.__parent__ = app
    return made

def tool_of(made):
    return made._tree["portal_setup"] if hasattr(made, "_tree") else made.portal_setup

root = ZODB.DB(ZODB.config.storageFromString(sys.argv[1])).open().root()
app = root.setdefault("Application", Application())
while True:
    transaction.commit()
    sys.stdout.write("ready\\n")  # Python 2 has no print for this
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        break
    exec(line)
"""


class PloneWriter:
    """Has the database open, with an `app` in it; `run` does a line of Python and commits."""

    def __init__(self, running: "Popen[str]") -> None:
        self._running = running
        lines_until_ready(running)

    def run(self, line: str) -> None:
        assert self._running.stdin is not None
        self._running.stdin.write(f"{line}\n")
        self._running.stdin.flush()
        lines_until_ready(self._running)


@contextmanager
def plone_writer(path: Path) -> Iterator[PloneWriter]:
    with plone_writer_of(f"<filestorage>\n  path {path}\n</filestorage>") as writer:
        yield writer


@contextmanager
def plone_writer_of(storage: str, program: Path | str = sys.executable) -> Iterator[PloneWriter]:
    """The same of a storage as a section of zope.conf names it, by a Python that has its code."""
    with child(_WRITER, storage, program=str(program)) as running:
        yield PloneWriter(running)
