"""A log that is written, rotated and damaged, with an account of what became of its lines."""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Names = Literal["shifting", "dated", "ascending"]
KEPT = 3


@dataclass(eq=False)
class WrittenFile:
    """A file and what was written to it."""

    name: str
    content: bytes = b""
    at_last_look: int | None = None  # its size then, None if the follower never saw it
    deleted: bool = False
    abandoned: bool = False  # the follower need not expect anything more of it

    def lines(self) -> list[bytes]:
        """Whole lines, and a last one without its end."""
        return [line for line in self.content.split(b"\n") if line]


class RotatedLog:
    """One log in its directory. `may_be_lost` are lines that no follower could be sure to see.

    `counted` is what the follower has counted for good when something is destroyed.
    """

    def __init__(self, directory: Path, names: Names) -> None:
        directory.mkdir()
        self.directory = directory
        self.path = directory / "Z4.log"
        self.names = names
        self.rotated: list[WrittenFile] = []  # the newest first
        self.all_lines: set[bytes] = set()
        self.may_be_lost: set[bytes] = set()
        self.counted: set[bytes] = set()
        self.current: WrittenFile | None = None
        self.writes_to: WrittenFile
        self.reopen()

    def lines_there(self) -> set[bytes]:
        files = [*self.rotated, *([self.current] if self.current else [])]
        return {line for file in files for line in file.lines()}

    # what the process does

    def reopen(self) -> None:
        """Open the path, as Zope does at its start and Zope 2 on a signal."""
        if self.current is None:
            self.create()
        assert self.current is not None
        self.writes_to = self.current
        self._open_descriptor()

    def _open_descriptor(self) -> None:
        self.close()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def close(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)
            del self._descriptor

    def write(self, data: bytes) -> None:
        file = self.writes_to
        before = set(file.lines())
        os.write(self._descriptor, data)
        file.content += data
        if file.deleted or file.abandoned:
            self.may_be_lost |= set(file.lines()) - before
        self.all_lines |= set(file.lines())

    def written_by_another(self, data: bytes) -> None:
        """Let another process open the path, write to it and close it."""
        if self.current is not None:
            with self.path.open("ab") as stream:
                stream.write(data)
            self.current.content += data
            self.all_lines |= set(self.current.lines())
            if self.current is not self.writes_to:
                self.writes_to.abandoned = True

    def time_passes(self) -> None:
        """Who still writes to an old file after this is not expected to any more."""
        current, written = self.current, self.writes_to
        if written is not current and not (current is None and written.content):
            written.abandoned |= bool(current and current.content) or not written.content

    # what logrotate and people do

    def create(self) -> None:
        self.path.touch()
        self.current = WrittenFile(self.path.name)

    def rename(self) -> None:
        """Move the file away; the process goes on writing to it until it reopens."""
        if self.current is not None:
            self._shift()
            self.current.name = self._rotated_name()
            self.path.rename(self.directory / self.current.name)
            self.rotated.insert(0, self.current)
            self.current = None

    def copytruncate(self, between: bytes = b"") -> None:
        """Copy, then truncate; what is written `between` these is gone."""
        if self.current is None:
            return
        self._shift()
        copy = WrittenFile(self._rotated_name(), self.current.content)
        (self.directory / copy.name).write_bytes(self.path.read_bytes())
        if not self.current.at_last_look:
            # Nothing is known of it by which the copy could be recognised.
            self.may_be_lost |= set(copy.lines()) - self.counted
        copy.at_last_look = self.current.at_last_look or None
        self.rotated.insert(0, copy)
        if between and self.writes_to is self.current:
            self.write(between)
            self.may_be_lost |= set(self.current.lines()) - set(copy.lines())
        self._empty()

    def truncate(self) -> None:
        """Empty the file without a copy."""
        if self.current is not None:
            self._destroy(self.current)
            self._empty()

    def delete(self) -> None:
        if self.current is not None:
            self.path.unlink()
            self._destroy(self.current)
            self.current.deleted = True
            self.current = None

    def put_back(self) -> None:
        """Give the newest rotated file its name back, where there is no other."""
        if self.current is None and self.rotated and not self.rotated[0].name.endswith(".gz"):
            self.current = self.rotated.pop(0)
            (self.directory / self.current.name).rename(self.path)
            self.current.name = self.path.name

    def compress(self) -> None:
        """Compress the newest rotated file, which nobody may write to any more."""
        for file in self.rotated[:1]:
            if file is self.writes_to or file.name.endswith(".gz"):
                return
            plain = self.directory / file.name
            file.name += ".gz"
            (self.directory / file.name).write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
            if not file.at_last_look:
                self._blind(file)

    def _empty(self) -> None:
        assert self.current is not None
        os.truncate(self.path, 0)
        # What was seen of it, if anything, is in the copy now.
        self.current.content = b""
        if self.current.at_last_look:
            self.current.at_last_look = None

    def _shift(self) -> None:
        if self.names != "shifting":
            doomed = self.rotated[KEPT - 1 :]
        else:
            for number in range(len(self.rotated), 0, -1):
                file = self.rotated[number - 1]
                suffix = ".gz" if file.name.endswith(".gz") else ""
                new = f"{self.path.name}.{number + 1}{suffix}"
                (self.directory / file.name).rename(self.directory / new)
                file.name = new
            doomed = self.rotated[KEPT - 1 :]
        for file in doomed:
            (self.directory / file.name).unlink()
            self._destroy(file)
            file.deleted = True
        del self.rotated[KEPT - 1 :]

    def _rotated_name(self) -> str:
        if self.names == "shifting":
            return f"{self.path.name}.1"
        self._number = getattr(self, "_number", 0) + 1
        mark = f".{self._number}" if self.names == "ascending" else f"-{20260100 + self._number}"
        return self.path.name + mark

    # the account

    def _destroy(self, file: WrittenFile) -> None:
        self.may_be_lost |= set(file.lines()) - self.counted
        if file.at_last_look is not None:
            self._blind(file)

    def _blind(self, file: WrittenFile) -> None:
        """What was rotated after a file that cannot be found again cannot be told from history."""
        if file.at_last_look is None:
            return
        later = self.rotated[: self.rotated.index(file)] if file in self.rotated else []
        for lost in [file, *later]:
            self.may_be_lost |= set(lost.lines()) - self.counted
        self.anchor_lost = True

    anchor_lost = False

    def looked_at(self, counted: set[bytes]) -> None:
        """Say that a follower has come to the end of all it knows."""
        self.counted = counted
        if self.anchor_lost:
            for file in self.rotated:
                self.may_be_lost |= set(file.lines()) - counted
                file.abandoned |= file.at_last_look is None
        self.anchor_lost &= self.current is None
        for file in self.rotated:
            file.at_last_look = None if file.at_last_look is None else len(file.content)
        if self.current is not None:
            self.current.at_last_look = len(self.current.content)
