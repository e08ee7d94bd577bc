"""Backing up and verifying, beside what repozo, restic, or cp and FileIterator, take for the same.

Run as `python tests/bench/backup.py [RECORDS]`, of which 1700000 make 2 GB. Each is a whole command
as a person gives it, with the start of Python and of all it imports. What is compared runs by
turns, where we may in a namespace in which no other process is seen, else our search of this host
is of what happens to run there; told are medians.

Ours are: `ours` without a proof, `ours_proven` with every byte read back, as the full one after a
pack is, `ours_restored` with a trial restore, as the first of a site and one each week. Increments
and what finds nothing new have their proof as always.
"""

import operator
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from ZODB.FileStorage import FileIterator

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.big_datafs import Writer, append, write  # noqa: E402
from tests.support.faults.disk import QuickDisk  # noqa: E402
from tests.support.programs.debian import tool  # noqa: E402
from tests.support.programs.measured import (  # noqa: E402
    Took,
    by_turns,
    measured,
    one_after_another,
)
from zope_exporter.maintenance.backup.disk import Means  # noqa: E402
from zope_exporter.maintenance.backup.proof import prove  # noqa: E402
from zope_exporter.maintenance.backup.run import backup  # noqa: E402
from zope_exporter.maintenance.backup.target import BackupSettings, Source  # noqa: E402
from zope_exporter.maintenance.backup.verification_record import Level, Schedule  # noqa: E402
from zope_exporter.maintenance.jobs.report import Silent  # noqa: E402
from zope_exporter.storage.filestorage.format import (  # noqa: E402
    FIRST_TRANSACTION,
    PACKED,
    TRANSACTION_HEADER,
    Transaction,
)

RECORDS = "1700000"
ROUNDS = 5
INCREMENT = 20_000_000
RECORD_SIZE = 1200
BACKUPS, BLOBS = 200, 10_000
STATUS = 16  # where it is in the header of a transaction
SITE, DATABASE = "bench", "main"
PROOF = "{level: restore, every: 7d}"
COPY_AND_WALK = "copy_and_walk"
APART = "ZOPE_EXPORTER_BENCH_APART"
PLACE = """\
discover: false
state_dir: {place}/state
sites:
  - name: {site}
    instances: [{{name: client1, data_fs: {data_fs}{blobs}}}]
    backup: {{repository: {repository}, verify: {proof}, keep_full: 99}}
"""


class Bench:
    """A Data.fs in a directory, and the commands that back it up."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.data_fs = place / "Data.fs"
        self.blob_dir: Path | None = None

    def ours(self, repository: Path, proof: str = PROOF, command: str = "backup") -> list[object]:
        config = repository.with_suffix(".yml")
        blobs = f", blob_dir: {self.blob_dir}" if self.blob_dir else ""
        names = {"place": self.place, "site": SITE, "data_fs": self.data_fs, "blobs": blobs}
        config.write_text(PLACE.format(**names, repository=repository, proof=proof))
        program = [sys.executable, "-m", "zope_exporter", command, "--quiet"]
        return [*program, "--config.file", config]

    def repozo(self, repository: Path, *flags: str) -> list[object]:
        repository.mkdir(exist_ok=True)
        program = [sys.executable, "-m", "ZODB.scripts.repozo", *flags, "-r", repository]
        return program if "-V" in flags else [*program, "-f", self.data_fs]

    def restic(self, repository: Path) -> list[object]:
        """It splits any file by its content and encrypts the parts."""
        program = [tool("restic"), "--no-cache", "--quiet", "--repo", repository]
        if not repository.exists():
            measured([*program, "init"])
        return [*program, "backup", self.data_fs]

    def fresh(self, name: str) -> Path:
        repository = self.place / name
        shutil.rmtree(repository, ignore_errors=True)
        return repository

    def linked(self, base: str) -> Path:
        """The same repository again: pieces are never written to, but repozo's lists are."""

        def take(old: str, new: str) -> None:
            (os.link if old.endswith("fs") else shutil.copyfile)(old, new)

        copy = self.fresh(f"{base}-copy")
        shutil.copytree(self.place / base, copy, copy_function=take)
        return copy


def full(bench: Bench) -> dict[str, Callable[[], Took]]:
    return {
        "ours": lambda: measured(bench.ours(bench.fresh("full"), "{level: manifest}")),
        "repozo": lambda: measured(bench.repozo(bench.fresh("full"), "-BF")),
        "restic": lambda: measured(bench.restic(bench.fresh("full"))),
    }


def proven(bench: Bench) -> dict[str, Callable[[], Took]]:
    def repozo() -> Took:
        repository = bench.fresh("proven")
        return one_after_another(bench.repozo(repository, "-BF"), bench.repozo(repository, "-V"))

    return {
        "ours_proven": lambda: measured(bench.ours(bench.linked("before-pack"))),
        "repozo, -BF and -V": repozo,
        "ours_restored": lambda: measured(bench.ours(bench.fresh("proven"))),
    }


def verify(bench: Bench) -> dict[str, Callable[[], Took]]:
    walk = [sys.executable, __file__, COPY_AND_WALK, bench.data_fs]
    return {
        "verified": lambda: measured(bench.ours(bench.place / "base", command="verify")),
        "copied_and_walked": lambda: measured(walk),
    }


def incremental(bench: Bench) -> dict[str, Callable[[], Took]]:
    return {
        "ours": lambda: measured(bench.ours(bench.linked("base"))),
        "repozo": lambda: measured(bench.repozo(bench.linked("base-repozo"), "-B")),
        "restic": lambda: measured(bench.restic(bench.linked("base-restic"))),
    }


def nothing_new(bench: Bench) -> dict[str, Callable[[], Took]]:
    return {
        "ours": lambda: measured(bench.ours(bench.place / "aged")),
        "repozo": lambda: measured(bench.repozo(bench.place / "base-repozo", "-B")),
    }


def compare(bench: Bench, records: int) -> None:
    writer = write(bench.data_fs, records)
    size = bench.data_fs.stat().st_size / 1e6
    click.echo(f"\nData.fs of {size:.0f} MB, {records} records")
    back_up_beginning(bench)
    measured(bench.ours(bench.place / "base"))
    measured(bench.repozo(bench.place / "base-repozo", "-BF"))
    measured(bench.restic(bench.place / "base-restic"))
    tell("full", full(bench))
    tell("proven full", proven(bench))
    tell("verify", verify(bench))
    append(bench.data_fs, writer, INCREMENT, RECORD_SIZE)
    tell("incremental", incremental(bench))
    age(bench, writer)
    measured(bench.repozo(bench.place / "base-repozo", "-B"))
    measured(bench.ours(bench.place / "aged"))  # the weekly proof is due once
    tell("nothing new", nothing_new(bench))


def back_up_beginning(bench: Bench) -> None:
    """Make a proven backup that the file is too far from to go on with, as after a pack."""
    beginning = Bench(bench.place / "beginning")
    beginning.place.mkdir()
    with bench.data_fs.open("r+b") as file:
        header = file.read(FIRST_TRANSACTION + TRANSACTION_HEADER.size)
        first = Transaction.unpack(header, FIRST_TRANSACTION, FIRST_TRANSACTION)
        file.seek(0)
        beginning.data_fs.write_bytes(file.read(first.end))
        file.seek(FIRST_TRANSACTION + STATUS)
        file.write(PACKED)
    measured(beginning.ours(bench.place / "before-pack"))


def tell(what: str, steps: dict[str, Callable[[], Took]]) -> None:
    for line in by_turns(what, steps, ROUNDS):
        click.echo(line)


def age(bench: Bench, writer: Writer) -> None:
    """Let there be many backups, one each night, and with the last many blobs."""
    bench.blob_dir, repository = bench.place / "blobs", bench.place / "aged"
    add_blobs(bench.blob_dir, 1, 1)
    source = Source(bench.data_fs, bench.blob_dir, DATABASE, SITE)
    settings, schedule = BackupSettings(keep_full=99), Schedule(Level.CHECKSUMS, 1e9)
    for nights in reversed(range(BACKUPS)):
        append(bench.data_fs, writer, 3000, RECORD_SIZE)
        if not nights:
            add_blobs(bench.blob_dir, writer.tid, BLOBS - 1)
        means = Means(QuickDisk(), partial(operator.sub, time.time(), (nights + 1) * 86400))
        backup(source, repository, settings, Silent(), means)
        prove(repository, schedule, Silent(), source, means)


def add_blobs(blob_dir: Path, tid: int, count: int) -> None:
    for oid in range(count << 20, (count << 20) + count):
        directory = blob_dir.joinpath(*(f"0x{byte:02x}" for byte in oid.to_bytes(8, "big")))
        directory.mkdir(parents=True)
        (directory / f"0x{tid:016x}.blob").write_bytes(b"a blob")


def copy_and_walk(data_fs: Path) -> None:
    copy = data_fs.with_suffix(".copy")
    shutil.copyfile(data_fs, copy)
    for transaction in FileIterator(str(copy)):
        for _ in transaction:
            pass
    copy.unlink()


def main(records: str = RECORDS) -> None:
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    may = subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0
    if may and APART not in os.environ:
        os.environ[APART] = "1"
        os.execvp(apart[0], [*apart, sys.executable, *sys.argv])
    os.environ["RESTIC_PASSWORD"] = "bench"
    for size in (int(records) // 10, int(records)):
        with tempfile.TemporaryDirectory() as directory:
            compare(Bench(Path(directory)), size)


if __name__ == "__main__":
    if sys.argv[1:2] == [COPY_AND_WALK]:
        copy_and_walk(Path(sys.argv[2]))
    else:
        main(*sys.argv[1:])
