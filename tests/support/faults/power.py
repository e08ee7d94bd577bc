"""A disk that knows what would be left on it if the power went now."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.support.faults.disk import FaultyDisk

Done = TypeVar("Done")
Tree = dict[str, bytes]


class PowerDisk(FaultyDisk):
    """Keeps two states of each moment below a directory: what has surely reached the disk, and all
    names as they are, as a journal may bring them there sooner, with the data that have.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.states: list[Tree] = []
        self._root = root
        self._names: dict[int, dict[str, int]] = {}
        self._data: dict[int, bytes] = {}
        self._sync_all()

    def _operation(
        self, run: Callable[[], Done], half: Callable[[], object] = lambda: None
    ) -> Done:
        if not self.busy:
            for state in (dict(self._surely(self._root)), dict(self._named(self._root))):
                if state not in self.states:
                    self.states.append(state)
        return super()._operation(run, half)

    def create(self, path: Path, dir_fd: int | None = None) -> int:
        descriptor = super().create(path, dir_fd)
        self._data.pop(os.fstat(descriptor).st_ino, None)  # numbers are used again
        return descriptor

    def make_directory(self, path: Path, dir_fd: int | None = None) -> None:
        super().make_directory(path, dir_fd)
        self._names.pop(path.stat().st_ino, None)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._sync(descriptor)

    def sync_system(self, path: Path) -> None:
        super().sync_system(path)
        self._sync_all()

    def _sync_all(self) -> None:
        for path in (self._root, *self._root.rglob("*")):
            descriptor = os.open(path, os.O_RDONLY)
            self._sync(descriptor)
            os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(descriptor) as entries:
                self._names[status.st_ino] = {each.name: each.inode() for each in entries}
        else:
            self._data[status.st_ino] = os.pread(descriptor, status.st_size, 0)

    def _surely(self, root: Path) -> Iterator[tuple[str, bytes]]:
        left = [("", root.stat().st_ino)]
        while left:
            below, number = left.pop()
            for name, inside in self._names.get(number, {}).items():
                if inside in self._names:
                    left.append((f"{below}{name}/", inside))
                else:
                    yield f"{below}{name}", self._data.get(inside, b"")

    def _named(self, root: Path) -> Iterator[tuple[str, bytes]]:
        for path in root.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(root)), self._data.get(path.stat().st_ino, b"")


def write_tree(tree: Tree, directory: Path) -> None:
    directory.mkdir()
    for name, data in tree.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
