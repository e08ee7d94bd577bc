"""Our Data.fs reader and ZODB's own tools on the same file, by turns.

Run as `python tests/bench/datafs.py [RECORDS ...]`, from anywhere; 1,800,000 records make 2 GB, and
five times that room is needed for a moment, in TMPDIR. CPU seconds are those of the work alone,
without starting Python.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import big_datafs  # noqa: E402

ROUNDS = 3
APPENDED = 20_000_000

MEASURE = """
import json, logging, os, sys, time
from pathlib import Path
logging.disable(logging.CRITICAL)
path = Path(sys.argv[1])
{imports}
begin = time.process_time()
{work}
cpu = time.process_time() - begin
[peak] = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps(dict(cpu=cpu, peak=int(peak) * 1024, result=str(result))))
"""

SCAN = """
from zope_exporter.storage.filestorage.scan import Scan
from zope_exporter.storage.filestorage.reader import DataFile
"""
COUNT = """
descriptor = os.open(path, os.O_RDONLY)
file = DataFile(path, descriptor)
scan = Scan((0, 0), path.stat().st_size)
for _ in scan.steps(file):
    if scan.contents is not None:
        break
totals = scan.full_count.totals()
result = totals.transactions, totals.objects, totals.superseded
"""
EVERYTHING = """
descriptor = os.open(path, os.O_RDONLY)
scan = Scan((0, 0), path.stat().st_size)
longest, begun = 0.0, time.process_time()
for _ in scan.steps(DataFile(path, descriptor)):
    now = time.process_time()
    longest, begun = max(longest, now - begun), now
superseded = scan.full_count.totals().superseded
top = max(scan.contents.classes.items(), key=lambda item: item[1])
garbage = superseded + scan.contents.unreachable
result = f"frees {garbage}, {top}, longest slice {longest * 1e3:.0f} ms"
"""
ITERATE = """
transactions = records = 0
for transaction in FileIterator(str(path)):
    transactions += 1
    for record in transaction:
        records += 1
result = transactions, records
"""
PACK = """
storage = FileStorage(str(path))
before = storage.getSize()
storage.pack(time.time(), referencesf, gc={collect})
result = f"frees {{before - storage.getSize()}}"
storage.close()
"""
FOLLOW = """
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.state import Store
"""
KNOWN = """
followed = Followed(path, Store(path.with_name("state"), path))
followed.look()
"""
LOOK = """
known, problems = followed.look()
result = known.totals.transactions, known.totals.objects, known.totals.superseded
assert not problems
"""
CUT = """
os.truncate(path, {size})
"""
APPEND = """
import shutil
with path.open("ab") as file, path.with_name("appended").open("rb") as appended:
    shutil.copyfileobj(appended, file, 1 << 16)
"""
LOOKS = """
for _ in range(10_000):
    followed.look()
result = "10,000 looks"
"""
STATE = """
followed = Followed(path, Store(path.with_name("state"), path))
rescan = Rescan(followed)
while rescan.step():
    pass
result = followed.known.counted
"""
TAIL = """
records = 0
for transaction in FileIterator(str(path), pos={position}):
    for record in transaction:
        records += 1
result = records
"""


@dataclass(frozen=True)
class Work:
    name: str
    imports: str
    code: str
    index: bool = True
    baseline: str = ""


@dataclass
class Runs:
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    anonymous: list[float] = field(default_factory=list)
    result: str = ""


ZODB = "from ZODB.FileStorage.FileStorage import FileIterator"
STORAGE = "from ZODB.FileStorage import FileStorage\nfrom ZODB.serialize import referencesf"
WORKS = [
    Work("FileIterator, all records", ZODB, ITERATE),
    Work("first count, with index", SCAN, COUNT, baseline="FileIterator, all records"),
    Work("first count, no index", SCAN, COUNT, False, "FileIterator, all records"),
    Work(
        "ZODB.scripts.analyze",
        "from ZODB.scripts.analyze import analyze",
        "report = analyze(str(path))\nresult = report.COIDS, report.CBYTES",
    ),
    Work("count, classes, references", SCAN, EVERYTHING, baseline="ZODB.scripts.analyze"),
]


def main() -> None:
    for records in [int(number) for number in sys.argv[1:]] or [225_000, 1_800_000]:
        with tempfile.TemporaryDirectory() as directory:
            benchmark(Path(directory) / "Data.fs", records)


def benchmark(path: Path, records: int) -> None:
    writer = big_datafs.write(path, records)
    size = path.stat().st_size
    say(f"\n{records} records, {size / 1e6:.0f} MB, {ROUNDS} rounds by turns, medians\n")
    table = rounds(path, WORKS)
    report(table, WORKS, size)
    packs(path)
    index = path.with_name("Data.fs.index")
    measure(
        path,
        Work("", FOLLOW + "from zope_exporter.storage.filestorage.rescan import Rescan", STATE),
    )
    looks = Work("look at an unchanged file", FOLLOW + KNOWN, LOOKS)
    run = rounds(path, [looks])[looks.name]
    say(f"{looks.name}: {statistics.median(run.cpu) * 100:.1f} us of CPU\n")
    places = writer.places[:]
    for record_size in (1200, 8192):
        index.unlink(missing_ok=True)
        os.truncate(path, size)
        writer.position, writer.places = size, places[:]
        big_datafs.append(path, writer, APPENDED, record_size)
        with path.open("rb") as file:
            file.seek(size)
            path.with_name("appended").write_bytes(file.read())
        cut = CUT.format(size=size)
        tail = Work("FileIterator, new records", ZODB + cut + APPEND, TAIL.format(position=size))
        look = Work("look after that", FOLLOW + cut + KNOWN + APPEND, LOOK, baseline=tail.name)
        say(f"{APPENDED / 1e6:.0f} MB appended in records of {record_size} bytes\n")
        report(rounds(path, [tail, look]), [tail, look], APPENDED)


def rounds(path: Path, works: list[Work]) -> dict[str, Runs]:
    table: dict[str, Runs] = defaultdict(Runs)
    for _ in range(ROUNDS):
        for work in works:
            found = measure(path, work)
            runs = table[work.name]
            runs.cpu.append(found["cpu"])
            runs.peak.append(found["peak"])
            runs.anonymous.append(found["anonymous"])
            runs.result = found["result"]
    return table


def packs(path: Path) -> None:
    """What real packs free, each once; both leave the file as it was."""
    for collect in (False, True):
        copy = path.with_name("packed.fs")
        shutil.copyfile(path, copy)
        found = measure(copy, Work("", STORAGE, PACK.format(collect=collect)))
        say(f"pack(gc={collect}): {found['cpu']:.2f} s, {found['result']}\n")
        for file in path.parent.glob("packed.fs*"):
            file.unlink()


def measure(path: Path, work: Work) -> dict[str, Any]:
    """Run one work in a process of its own, and watch its anonymous memory."""
    index = path.with_name(path.name + ".index")
    hidden = path.with_name("hidden")
    if not work.index and index.exists():
        index.rename(hidden)
    code = MEASURE.format(imports=work.imports, work=work.code)
    command = [sys.executable, "-c", code, str(path)]
    tick, most = threading.Event(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            most = max(most, anonymous(child.pid))
            tick.wait(0.005)
        assert child.stdout is not None
        found: dict[str, Any] = json.loads(child.stdout.read().splitlines()[-1])
    if hidden.exists():
        hidden.rename(index)
    return found | {"anonymous": most}


def anonymous(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
    return int(sizes[0]) * 1024 if sizes else 0


def report(table: dict[str, Runs], works: list[Work], size: int) -> None:
    row = "{:<28} {:>8} {:>7} {:>9} {:>9} {:>10}  {}\n"
    say(row.format("", "CPU s", "MB/s", "faster", "RSS MB", "anon. MB", "result"))
    for work in works:
        runs = table[work.name]
        cpu = statistics.median(runs.cpu)
        faster = ""
        if work.baseline:
            pairs = zip(table[work.baseline].cpu, runs.cpu, strict=True)
            faster = f"{statistics.median(theirs / ours for theirs, ours in pairs):.1f} x"
        peak, most = max(runs.peak) / 1e6, max(runs.anonymous) / 1e6
        speed = f"{size / cpu / 1e6:.0f}"
        say(
            row.format(
                work.name, f"{cpu:.3f}", speed, faster, f"{peak:.0f}", f"{most:.0f}", runs.result
            )
        )


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
