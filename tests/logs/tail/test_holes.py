"""NUL bytes before a line, as copytruncate leaves them to a process that does not append."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.line_reader import LONGEST_LINE
from zope_exporter.logs.tail.tail import Tail


class Writer:
    """A process that opened its log with mode "w", and what follows that log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb", buffering=0)
        self.log = Tail(path, Lines)
        self.log.look()

    def write(self, *lines: bytes) -> None:
        self.file.write(b"".join(line + b"\n" for line in lines))

    def copytruncate(self, number: int) -> None:
        shutil.copy(self.path, self.path.with_name(f"Z4.log.{number}"))
        os.truncate(self.path, 0)

    def look(self) -> list[bytes]:
        while self.log.look():
            pass
        assert isinstance(self.log.counter, Lines)
        assert self.log.counter.skipped == 0
        return self.log.counter.lines


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "Z4.log")
    yield writer
    writer.log.close()
    writer.file.close()


@pytest.mark.parametrize("seen_empty", [False, True])
@pytest.mark.parametrize("size", [10, 5000, 3 * LONGEST_LINE])
def test_no_line_after_a_hole_is_lost(writer: Writer, size: int, seen_empty: bool) -> None:
    lines = [b"x" * 99 + b"%d" % number for number in range(size // 100 + 1)]
    writer.write(*lines)
    assert writer.look() == lines
    for number in (1, 2, 3):
        writer.copytruncate(number)
        if seen_empty:
            writer.look()
        new = [b"after %d" % number, b"and so on %d" % number]
        writer.write(*new)
        lines += new
        assert writer.look() == lines
        assert writer.path.stat().st_size > size
        assert writer.log.unread == 0


def test_several_rotations_while_nobody_looks(writer: Writer) -> None:
    """The files begin with the same bytes, of which none tells one from the other."""
    writer.write(b"x" * 5000)
    writer.look()
    for number in (1, 2, 3):
        writer.copytruncate(number)
        writer.write(b"%d" % number, b"line" * number)
    assert writer.look()[1:] == [b"1", b"line", b"2", b"lineline", b"3", b"linelineline"]


def test_nul_bytes_that_a_crash_left_between_lines(writer: Writer) -> None:
    writer.write(b"one", b"\0" * 5000 + b"two", b"\0" * 2 * LONGEST_LINE + b"three", b"a\0b")
    assert writer.look() == [b"one", b"two", b"three", b"a\0b"]


def test_the_time_of_the_first_line_after_a_hole(writer: Writer) -> None:
    writer.write(b"x" * 5000)
    writer.look()
    writer.copytruncate(1)
    writer.write(b"2026-01-01T12:00:00Z INFO x")
    writer.look()
    assert writer.log.oldest == 1767268800
