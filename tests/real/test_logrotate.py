"""The real logrotate, against a process that never reopens its log and one that does."""

import gzip
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from tests.support.programs.children import child
from tests.support.programs.commands import Command
from tests.support.programs.debian import tool
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from zope_exporter.logs.tail.archives import reopen_needed
from zope_exporter.logs.tail.tail import Tail

# Logs as Zope does under WSGI; the signal is what Zope 2 reopens its logs at. Writes a line every
# millisecond between "go" and "stop", and says how many there are by now.
ZOPE = """
import logging, signal, sys, threading
path, reopens = sys.argv[1:]
handler = logging.FileHandler(path)
log = logging.getLogger()
log.addHandler(handler)
log.setLevel(logging.INFO)
def reopen(*_):
    handler.acquire()
    handler.close()
    handler.stream = handler._open()
    handler.release()
if reopens == "reopens":
    # A thread of its own: the handler's lock may be held by the interrupted one.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    def wait():
        while True:
            signal.sigwait([signal.SIGUSR2])
            reopen()
    threading.Thread(target=wait, daemon=True).start()
count = 0
resting = threading.Event()
def work():
    global count
    while not resting.wait(0.001):
        count += 1
        log.info("%d %s", count, "x" * (count % 300))
for order in sys.stdin:
    if order == "go\\n":
        resting.clear()
        worker = threading.Thread(target=work)
        worker.start()
    else:
        resting.set()
        worker.join()
    print(count, flush=True)
"""


class Zope:
    """A process that logs, and the logrotate that rotates what it logs."""

    def __init__(self, process: "subprocess.Popen[str]", directory: Path, options: str) -> None:
        self.pid = process.pid
        self.path = directory / "log/Z4.log"
        self._process = process
        self._logrotate = require(tool, "logrotate")
        self._conf = directory / "logrotate.conf"
        signal = f"postrotate\nkill -USR2 {self.pid}\nendscript"
        options = options.replace("signal", signal)
        self._conf.write_text(f"{self.path} {{\nrotate 100\n{options}\n}}\n")

    def order(self, order: str) -> int:
        """Tell the process to go on or to stop; return the number of lines written by then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def rotate(self) -> None:
        state = self._conf.with_name("logrotate.state")
        command: Command = [self._logrotate, "--force", "--state", state, self._conf]
        subprocess.run(command, check=True, timeout=60)

    def kept(self) -> set[int]:
        """The numbers of all lines that are in its files still.

        What it writes to a renamed log while logrotate compresses that, before it has reopened its
        log, is only known to who has the file open.
        """
        files = self.path.parent.iterdir()
        contents = (
            gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            for file in files
        )
        return {int(line.split()[0]) for text in contents for line in text.splitlines()}

    def wrote(self, lines: int) -> bool:
        """Whether it has written so many lines to the file at the path since its last rotation."""
        return self.path.exists() and self.path.read_bytes().count(b"\n") >= lines


@pytest.fixture
def start(tmp_path: Path, ending: ExitStack) -> Callable[..., Zope]:
    def begin(options: str, reopens: str = "") -> Zope:
        (tmp_path / "log").mkdir()
        path = str(tmp_path / "log/Z4.log")
        return Zope(ending.enter_context(child(ZOPE, path, reopens)), tmp_path, options)

    return begin


class Followed:
    """A log being followed, with or without a pause."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = Tail(path, Lines)
        eventually(path.exists)
        self.log.look()
        self._saved = self.log.save()

    def restart(self) -> None:
        self.stop()
        self.log = Tail(self.path, Lines)
        self.log.load(self._saved)

    def stop(self) -> None:
        self.log.close()

    def look(self) -> list[int]:
        """The numbers of all lines counted until now."""
        while self.log.look():
            pass
        self._saved = self.log.save()
        assert isinstance(self.log.counter, Lines)
        return [int(line.split()[0]) for line in self.log.counter.lines]

    def resets(self) -> dict[str, int]:
        return {reason: count for reason, count in self.log.resets.items() if count}


@pytest.fixture
def follow(ending: ExitStack) -> Callable[[Zope], Followed]:
    def begin(zope: Zope) -> Followed:
        followed = Followed(zope.path)
        ending.callback(followed.stop)
        return followed

    return begin


@pytest.mark.parametrize("compress", ["nocompress", "compress", "compress\ndelaycompress"])
@pytest.mark.parametrize("down", [False, True])
def test_create_and_reopen_under_load(
    start: Callable[..., Zope], follow: Callable[[Zope], Followed], compress: str, down: bool
) -> None:
    zope = start(f"create\n{compress}\nsignal", "reopens")
    followed = follow(zope)
    zope.order("go")
    for number in range(4):
        eventually(lambda: zope.wrote(20))
        if number == 1:
            followed.look()
        zope.rotate()
        if not down:
            followed.look()
    eventually(lambda: zope.wrote(20))
    written = zope.order("stop")
    if down:
        followed.restart()
    found = followed.look()
    if down and compress == "compress":
        assert found == sorted({*found, *zope.kept()})
    else:
        assert found == list(range(1, written + 1))
    assert followed.resets() == {}
    assert not needed(zope)


@pytest.mark.parametrize("compress", ["compress", "compress\ndelaycompress"])
def test_several_rotations_after_a_look_at_an_empty_log(
    start: Callable[..., Zope], follow: Callable[[Zope], Followed], compress: str
) -> None:
    zope = start(f"create\n{compress}\nsignal", "reopens")
    followed = follow(zope)
    zope.order("go")
    for _ in range(3):
        eventually(lambda: zope.wrote(20))
        zope.rotate()
    eventually(lambda: zope.wrote(20))
    written = zope.order("stop")
    found = followed.look()
    if compress == "compress":
        assert found == sorted({*found, *zope.kept()})
        assert found[-1] == written
    else:
        assert found == list(range(1, written + 1))
    assert followed.resets() == {}


@pytest.mark.parametrize("compress", ["nocompress", "compress"])
@pytest.mark.parametrize("down", [False, True])
def test_copytruncate(
    start: Callable[..., Zope], follow: Callable[[Zope], Followed], compress: str, down: bool
) -> None:
    zope = start(f"copytruncate\n{compress}")
    followed = follow(zope)
    for number in range(4):
        zope.order("go")
        eventually(lambda: zope.wrote(20))
        followed.look()
        eventually(lambda: zope.wrote(30))
        written = zope.order("stop")
        if down:
            followed.restart()
        zope.rotate()
        assert followed.look() == list(range(1, written + 1))
        assert followed.resets() == {"copytruncate": number + 1}
    assert not needed(zope)


def test_copytruncate_under_load_loses_only_what_it_cannot_know(
    start: Callable[..., Zope], follow: Callable[[Zope], Followed]
) -> None:
    zope = start("copytruncate")
    followed = follow(zope)
    zope.order("go")
    for _ in range(4):
        eventually(lambda: zope.wrote(20))
        followed.look()
        zope.rotate()
        followed.look()
    written = zope.order("stop")
    counted = followed.look()
    files = zope.path.parent.iterdir()
    kept = [int(line.split()[0]) for file in files for line in file.read_text().splitlines()]
    assert counted == sorted(kept)
    assert len(counted) <= written
    assert followed.resets() == {"copytruncate": 4}


def test_a_process_that_does_not_reopen_is_followed_into_the_renamed_file(
    start: Callable[..., Zope], follow: Callable[[Zope], Followed]
) -> None:
    zope = start("create\nnocompress")
    followed = follow(zope)
    zope.order("go")
    eventually(lambda: zope.wrote(20))
    followed.look()
    assert not needed(zope)
    zope.rotate()
    followed.look()
    assert needed(zope)
    written = zope.order("stop")
    followed.restart()
    assert followed.look() == list(range(1, written + 1))
    assert zope.path.stat().st_size == 0
    assert followed.resets() == {}


def needed(zope: Zope) -> bool:
    status = zope.path.stat()
    return reopen_needed(zope.pid, zope.path, (status.st_dev, status.st_ino))
