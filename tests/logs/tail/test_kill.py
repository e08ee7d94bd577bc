"""Killed at any moment while a process writes and rotates, the follower loses no line."""

import random
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.logs.line_counter import Lines
from tests.support.programs.children import child, lines_until_ready
from zope_exporter.logs.tail.file import LogError
from zope_exporter.logs.tail.store import LogKey, LogStore
from zope_exporter.logs.tail.tail import Tail

KILLS = 25
KEY = LogKey("intranet", "instance-access", b"Z4.log")

FOLLOWER = """
import sys
from pathlib import Path
from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.file import LogError
from zope_exporter.logs.tail.tail import Tail
from zope_exporter.logs.tail.store import LogKey, LogStore
key = LogKey("intranet", "instance-access", b"Z4.log")
store = LogStore(Path(sys.argv[2]))
log = Tail(Path(sys.argv[1]), Lines)
state = store.load().get(key)
if state is not None:
    log.load(state)
first = True
while True:
    try:
        log.look(4096)
    except LogError:
        pass
    if log.unsaved:
        assert store.save({key: log.save()}), store.problem
        log.unsaved = False
    if first:
        print("ready", flush=True)
    first = False
"""


class Writer(threading.Thread):
    """Writes numbered lines, some in two pieces, and renames the log now and then."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.written = 0
        self.stop = threading.Event()
        self.random = random.Random(7)

    def run(self) -> None:
        stream = self.path.open("a", buffering=1)
        while not self.stop.wait(0.001):
            for _ in range(self.random.randrange(20)):
                self.written += 1
                stream.write(f"{self.written} ")
                stream.flush()
                stream.write("x" * self.random.randrange(300) + "\n")
            if self.random.random() < 0.01:
                stream.close()
                self.rotate()
                stream = self.path.open("a", buffering=1)
        stream.close()

    def rotate(self) -> None:
        for number in range(400, 0, -1):
            with suppress(FileNotFoundError):
                self.path.with_name(f"Z4.log.{number}").rename(
                    self.path.with_name(f"Z4.log.{number + 1}")
                )
        self.path.rename(self.path.with_name("Z4.log.1"))


def test_killed_again_and_again(tmp_path: Path) -> None:
    path, state = tmp_path / "Z4.log", tmp_path / "state"
    path.touch()
    with child(FOLLOWER, str(path), str(state)) as first:
        lines_until_ready(first)
    writer = Writer(path)
    writer.start()
    moment = random.Random(11)
    for _ in range(KILLS):
        with child(FOLLOWER, str(path), str(state)) as running:
            lines_until_ready(running)
            threading.Event().wait(moment.random() * 0.1)
    writer.stop.set()
    writer.join()
    log = Tail(path, Lines)
    log.load(LogStore(state).load()[KEY])
    more = True
    while more:
        with suppress(LogError):
            more = log.look()
    log.close()
    assert log.resets == dict.fromkeys(log.resets, 0)
    assert isinstance(log.counter, Lines)
    numbers = [int(line.split(b" ")[0]) for line in log.counter.lines]
    assert sorted(numbers) == list(range(1, writer.written + 1))
