"""Packing a file, restoring and recovering, beside what ZODB and cp take for the same.

Run as `python tests/bench/maintenance.py [RECORDS]`; memory is the largest of each child.
"""

import multiprocessing
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import ZODB
from ZODB.FileStorage import FileStorage

from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.pack import offline
from zope_exporter.maintenance.recover.recover import recover
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource

RECORDS = "200000"


def measured(what: str, work: Callable[[], object]) -> None:
    """Do it in a process of its own, and say how long that took and how much memory."""
    began = time.monotonic()
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(work, sender))
    process.start()
    sender.close()  # else a process that fails would be waited for without an end
    memory = receiver.recv()
    process.join()
    click.echo(f"{what:34} {time.monotonic() - began:6.1f} s {memory / 1024:6.0f} MB")


def _run(work: Callable[[], object], sender: "multiprocessing.connection.Connection") -> None:
    work()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender.send(max(used, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))


def zodb_pack(data_fs: Path) -> None:
    database = ZODB.DB(FileStorage(str(data_fs)))
    database.pack(time.time())
    database.close()


def main(records: str = RECORDS) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        original = place / "Data.fs"
        writer = str(Path(__file__).with_name("big_datafs.py"))
        subprocess.run([sys.executable, writer, str(original), records], check=True)
        click.echo(f"Data.fs of {original.stat().st_size / 1e6:.0f} MB, {records} records")
        for name in "theirs", "ours":
            (place / name).mkdir()
            shutil.copy(original, place / name / "Data.fs")
        measured("cp", lambda: shutil.copy(original, place / "copy"))
        measured("ZODB: pack", lambda: zodb_pack(place / "theirs/Data.fs"))
        measured("pack of a file", lambda: offline.pack(place / "ours/Data.fs", None, 0))
        target = Place(place / "ours/Data.fs", None, "bench")
        measured("restore", lambda: restore(FileSource(original, None), target, Silent()))
        fsrecover = [sys.executable, "-m", "ZODB.fsrecover", str(original)]
        output, silent = str(place / "theirs.fs"), subprocess.DEVNULL
        command = [*fsrecover, output]
        measured("fsrecover", lambda: subprocess.run(command, check=True, stdout=silent))
        measured("recover", lambda: recover(original, place / "ours.fs", Silent()))


if __name__ == "__main__":
    main(*sys.argv[1:])
