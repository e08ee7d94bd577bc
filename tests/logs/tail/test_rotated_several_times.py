"""A log that is rotated several times between two looks, and compressed as that is done."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.file import LogMissingError
from zope_exporter.logs.tail.rotation_tracker import GRACE
from zope_exporter.logs.tail.tail import Tail

ARCHIVE = "Z4.log.{}.gz"


class Log:
    """A log with one older rotated file, and what follows it from the first sight on."""

    def __init__(self, directory: Path, archive: str = ARCHIVE) -> None:
        self.path = directory / "Z4.log"
        self.written = 0
        self.now = 0.0
        self.archive = archive
        self._compress(1, b"history\n")
        self.path.touch()
        self._tail = self._new()

    def _new(self) -> Tail:
        return Tail(self.path, Lines, lambda: self.now)

    def write(self, lines: int = 3) -> None:
        with self.path.open("a") as stream:
            for _ in range(lines):
                self.written += 1
                stream.write(f"{self.written}\n")

    def rotate(self, kept: int) -> None:
        """As logrotate does it, without the process's own part."""
        self._named(kept).unlink(missing_ok=True)
        for number in range(kept, 1, -1):
            if self._named(number - 1).exists():
                self._named(number - 1).rename(self._named(number))
        self._compress(1, self.path.read_bytes())
        self.path.unlink()
        self.path.touch()

    def _named(self, number: int) -> Path:
        return self.path.with_name(self.archive.format(number))

    def _compress(self, number: int, content: bytes) -> None:
        # What is not read here is never looked into.
        readable = self.archive.endswith(".gz")
        self._named(number).write_bytes(gzip.compress(content) if readable else b"\x28\xb5\x2f\xfd")

    def look(self) -> list[int]:
        while self._tail.look():
            pass
        assert isinstance(self._tail.counter, Lines)
        return [int(line) for line in self._tail.counter.lines]

    def restart(self) -> None:
        saved = self._tail.save()
        self._tail.close()
        self._tail = self._new()
        self._tail.load(saved)

    def resets(self) -> dict[str, int]:
        return {reason: count for reason, count in self._tail.resets.items() if count}

    def close(self) -> None:
        self._tail.close()


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Log]]:
    """Begin to follow a log, until the end of the test."""
    begun: list[Log] = []

    def begin(name: str = ".", archive: str = ARCHIVE) -> Log:
        begun.append(Log(tmp_path / name, archive))
        begun[-1].look()
        return begun[-1]

    yield begin
    for log in begun:
        log.close()


@pytest.fixture(params=["empty", "then written to", "read from"])
def log(request: pytest.FixtureRequest, follow: Callable[..., Log]) -> Log:
    """One that was empty at the last look and remains so, or does not, or that had lines."""
    log = follow()
    if request.param == "read from":
        log.write()
        log.look()
    if request.param != "empty":
        log.write()
    return log


def rotate_thrice(log: Log, kept: int = 100) -> None:
    for _ in range(2):
        log.rotate(kept)
        log.write()
    log.rotate(kept)
    log.write()


def test_all_is_read_from_the_compressed_files(log: Log) -> None:
    rotate_thrice(log)
    assert log.look() == list(range(1, log.written + 1))
    assert log.resets() == {}
    log.rotate(100)
    log.write()
    assert log.look() == list(range(1, log.written + 1))
    assert log.resets() == {}


def test_all_is_read_after_a_restart(log: Log) -> None:
    """Of a file that was empty nothing is known but its inode, so that more is not sure."""
    rotate_thrice(log)
    log.restart()
    assert log.look() == list(range(1, log.written + 1))
    assert set(log.resets()) <= {"truncated", "replaced", "copytruncate"}


def test_what_was_removed_meanwhile_is_said(log: Log) -> None:
    rotate_thrice(log, kept=1)
    counted = log.look()
    assert counted == sorted(set(counted))
    assert len(counted) < log.written
    assert log.resets() == {"missed": 1}


def test_what_cannot_be_decompressed_is_said(follow: Callable[..., Log]) -> None:
    log = follow(archive="Z4.log.{}.zst")
    log.write()
    rotate_thrice(log)
    assert log.look() == [1, 2, 3, *range(log.written - 2, log.written + 1)]
    assert log.resets() == {"missed": 1}


def test_a_single_rotation_misses_nothing(follow: Callable[..., Log]) -> None:
    log = follow(archive="Z4.log.{}.zst")
    for _ in range(3):
        log.write()
        log.look()
        log.write()
        log.rotate(100)
        log.write()
        assert log.look() == list(range(1, log.written + 1))
    assert log.resets() == {}


def test_a_log_that_was_gone_for_long(follow: Callable[..., Log]) -> None:
    log = follow()
    log.write()
    log.look()
    log.path.unlink()
    for _ in range(2):
        log.now += GRACE + 1
        with suppress(LogMissingError):
            log.look()
    log.write()
    rotate_thrice(log)
    assert log.look() == list(range(1, log.written + 1))


def test_in_a_directory_that_a_link_leads_to(tmp_path: Path, follow: Callable[..., Log]) -> None:
    """Each file has two paths then."""
    (tmp_path / "real").mkdir()
    (tmp_path / "var").symlink_to("real")
    log = follow("var", "Z4.log.{}")
    for _ in range(3):
        log.write()
        log.look()
        log.write()
        log.path.rename(log.path.with_name(f"Z4.log.{log.written}"))
        log.write()
    assert log.look() == list(range(1, log.written + 1))
    assert log.resets() == {}
