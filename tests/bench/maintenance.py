"""Packing a file, restoring and recovering, beside what ZODB and cp take for the same.

Run as `python tests/bench/maintenance.py [RECORDS]`. What is compared runs by turns, each time in a
process of its own; told are the medians of the seconds of CPU of its processes, those of our own
without the start of Python, and the most memory that any of them took.
"""

import multiprocessing
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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
ROUNDS = 3


class Took(NamedTuple):
    cpu: float
    memory: float  # MB


def measured(work: Callable[[], object]) -> Took:
    """Do it in a process of its own, and say what that took."""
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(work, sender))
    process.start()
    sender.close()  # else a process that fails would be waited for without an end
    took = receiver.recv()
    process.join()
    return Took(*took)


def _run(work: Callable[[], object], sender: "multiprocessing.connection.Connection") -> None:
    work()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    sender.send((cpu, max(each.ru_maxrss for each in used) / 1024))


def zodb_pack(data_fs: Path) -> None:
    database = ZODB.DB(FileStorage(str(data_fs)))
    database.pack(time.time())
    database.close()


class Bench:
    """What is measured, each time with a Data.fs that nothing was done to."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.original = place / "Data.fs"

    def _fresh(self) -> Path:
        directory = self._place / "fresh"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return directory / "Data.fs"

    def _copied(self) -> Path:
        return Path(shutil.copy(self.original, self._fresh()))

    def cp(self) -> Took:
        target = self._fresh()
        return measured(lambda: shutil.copy(self.original, target))

    def zodb_pack(self) -> Took:
        copy = self._copied()
        return measured(lambda: zodb_pack(copy))

    def pack(self) -> Took:
        copy = self._copied()
        return measured(lambda: offline.pack(copy, None, 0))

    def restore(self) -> Took:
        target = Place(self._copied(), None, "bench")
        return measured(lambda: restore(FileSource(self.original, None), target, Silent()))

    def fsrecover(self) -> Took:
        program = [sys.executable, "-m", "ZODB.fsrecover"]
        command = [*program, str(self.original), str(self._fresh())]
        return measured(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    def recover(self) -> Took:
        target = self._fresh()
        return measured(lambda: recover(self.original, target, Silent()))


def main(records: str = RECORDS) -> None:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        writer = str(Path(__file__).with_name("big_datafs.py"))
        subprocess.run([sys.executable, writer, str(bench.original), records], check=True)
        size = bench.original.stat().st_size / 1e6
        click.echo(f"Data.fs of {size:.0f} MB, {records} records")
        steps = {
            "cp": bench.cp,
            "restore": bench.restore,
            "ZODB: pack": bench.zodb_pack,
            "pack of a file": bench.pack,
            "fsrecover": bench.fsrecover,
            "recover": bench.recover,
        }
        found: dict[str, list[Took]] = {name: [] for name in steps}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                found[name].append(step())
        for name, took in found.items():
            cpu = statistics.median(each.cpu for each in took)
            click.echo(f"{name:34} {cpu:6.2f} s CPU {max(each.memory for each in took):6.0f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
