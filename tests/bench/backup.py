"""Backing up and verifying beside what repozo, restic, or cp and FileIterator, take for the same.

Run as `python tests/bench/backup.py [RECORDS]`, of which 1700000 make 2 GB. What is compared runs
by turns, each time in a process of its own after the disk has come to rest; told are the medians
of the work alone and of the whole process, the most memory that any of them took, and how many
times as long as ours both took.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import click
from ZODB.FileStorage import FileIterator
from ZODB.scripts import repozo

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.programs.commands import Command, run  # noqa: E402
from tests.support.programs.debian import tool  # noqa: E402
from zope_exporter.maintenance.backup.run import backup  # noqa: E402
from zope_exporter.maintenance.backup.target import BackupSettings, Source  # noqa: E402
from zope_exporter.maintenance.backup.verification import verify  # noqa: E402
from zope_exporter.maintenance.backup.verification_record import Level  # noqa: E402
from zope_exporter.maintenance.jobs.report import Silent  # noqa: E402

RECORDS = "1700000"
ROUNDS = 3
INCREMENT = 20_000_000
RECORD_SIZE = 1200


class Took(NamedTuple):
    work: float
    process: float
    memory: float  # MB


def ours(data_fs: Path, repository: Path) -> None:
    backup(Source(data_fs), repository, BackupSettings(), Silent())


def theirs_full(data_fs: Path, repository: Path) -> None:
    repository.mkdir()
    _repozo("-BF", "-r", repository, "-f", data_fs)


def theirs(data_fs: Path, repository: Path) -> None:
    _repozo("-B", "-r", repository, "-f", data_fs)


def restic(data_fs: Path, repository: Path) -> None:
    """It splits any file by its content and encrypts the parts; of a new repository with init."""
    command: Command = [tool("restic"), "--no-cache", "--quiet", "--repo", repository]
    environ = {"RESTIC_PASSWORD": "bench"}
    log = repository.with_suffix(".log")
    if not repository.exists():
        run([*command, "init"], log, environ)
    run([*command, "backup", data_fs], log, environ)


def _repozo(*arguments: object) -> None:
    with redirect_stderr(StringIO()):
        repozo.main([str(each) for each in arguments])


def verified(_: Path, repository: Path) -> None:
    verdict = verify(repository, Level.RESTORE, Silent())
    assert verdict.ok, verdict.failures


def copied_and_walked(data_fs: Path, repository: Path) -> None:
    copy = repository / "copy.tmp"
    shutil.copyfile(data_fs, copy)
    for transaction in FileIterator(str(copy)):
        for _ in transaction:
            pass
    copy.unlink()


STEPS: dict[str, Callable[[Path, Path], None]] = {
    step.__name__: step for step in (ours, theirs_full, theirs, restic, verified, copied_and_walked)
}


def measured(step: str, data_fs: Path, repository: Path) -> Took:
    os.sync()  # what others have left to write is not ours to wait for
    began = time.monotonic()
    command = [sys.executable, __file__, step, str(data_fs), str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        work = float(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Took(work, time.monotonic() - began, used.ru_maxrss / 1024)


def by_turns(what: str, steps: tuple[str, ...], places: Callable[[str], tuple[Path, Path]]) -> None:
    """Measure steps by turns, each on what `places` makes ready for it."""
    rounds: dict[str, list[Took]] = {step: [] for step in steps}
    for number in range(ROUNDS):
        for step in steps if number % 2 else reversed(steps):
            rounds[step].append(measured(step, *places(step)))
    first = rounds[steps[0]]
    for step, taken in rounds.items():
        work, process = (statistics.median(each[i] for each in taken) for i in (0, 1))
        memory = max(each.memory for each in taken)
        ratios = (
            statistics.median(each[i] / mine[i] for mine, each in zip(first, taken, strict=True))
            for i in (0, 1)
        )
        times = " and ".join(f"{ratio:.2f}" for ratio in ratios)
        click.echo(
            f"{what:12} {step:18} {work:7.2f} s {process:7.2f} s {memory:6.0f} MB {times} times"
        )


def linked(repository: Path, copy: Path) -> Path:
    """Make the same repository again: pieces are never written to, but repozo's lists are."""

    def take(old: str, new: str) -> None:
        (os.link if old.endswith("fs") else shutil.copyfile)(old, new)

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(repository, copy, copy_function=take)
    return copy


def compare(place: Path, records: str) -> None:
    data_fs, longer = place / "Data.fs", place / "longer.fs"
    make(data_fs, longer, records)
    click.echo(f"\nData.fs of {data_fs.stat().st_size / 1e6:.0f} MB, {records} records")
    bases = {"ours": place / "base-ours", "theirs": place / "base-theirs"}
    bases["restic"] = place / "base-restic"
    for step, base in zip(("ours", "theirs_full", "restic"), bases.values(), strict=True):
        measured(step, data_fs, base)

    def fresh(step: str) -> tuple[Path, Path]:
        shutil.rmtree(place / step, ignore_errors=True)
        return data_fs, place / step

    def going_on(step: str) -> tuple[Path, Path]:
        return data_fs, linked(bases[step], place / step)

    by_turns("full", ("ours", "theirs_full", "restic"), fresh)
    by_turns("verify", ("verified", "copied_and_walked"), lambda _: (data_fs, bases["ours"]))
    with longer.open("rb") as more, data_fs.open("ab") as file:
        shutil.copyfileobj(more, file)
    by_turns("incremental", ("ours", "theirs", "restic"), going_on)


def make(data_fs: Path, longer: Path, records: str) -> None:
    """Write a Data.fs, and the edits that are to follow it to another file."""
    script = (
        "import sys; from pathlib import Path; import big_datafs as b;"
        " path, more = Path(sys.argv[1]), Path(sys.argv[2]);"
        " writer = b.write(path, int(sys.argv[3]));"
        f" b.append(more, writer, {INCREMENT}, {RECORD_SIZE})"
    )
    arguments = [str(data_fs), str(longer), records]
    directory = Path(__file__).parent
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, cwd=directory)


def main(records: str = RECORDS) -> None:
    for size in (str(int(records) // 10), records):
        with tempfile.TemporaryDirectory() as directory:
            compare(Path(directory), size)


def step(name: str, data_fs: str, repository: str) -> None:
    began = time.monotonic()
    STEPS[name](Path(data_fs), Path(repository))
    click.echo(time.monotonic() - began)


if __name__ == "__main__":
    (step if sys.argv[1:] and sys.argv[1] in STEPS else main)(*sys.argv[1:])
