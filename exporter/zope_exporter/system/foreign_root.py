"""Files as another process sees them: a container's, below /proc/PID/root.

The kernel would follow a symbolic link there from our own root, so that whoever can make one in a
container could show us any file of this host as its own. Here each link is followed as the process
follows it, and no step leads out.
"""

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path, PurePath

_ROOT = re.compile(r"(/.*?)??/proc/\d+/root(?=/|$)")
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40


def root_of(path: str | os.PathLike[str]) -> Path | None:
    """The root of another process that `path` lies below; None for a path of our own."""
    found = _ROOT.match(os.fspath(path))
    return Path(found[0]) if found else None


def is_gone(path: str | os.PathLike[str]) -> bool:
    """Whether the process that `path` is seen through has ended: the file may be there or not."""
    root = root_of(path)
    return root is not None and not os.path.lexists(root)


def within(root: Path, path: PurePath) -> Path:
    """Where the process with this `root` has its `path`, without links as far as it exists."""
    with suppress(OSError), _Walk(root) as walk:
        walk.go(path, must_exist=False)
        return root.joinpath(*walk.names)
    return root / path.relative_to(path.anchor)


def real_path(path: str | os.PathLike[str]) -> str:
    """As os.path.realpath, but what lies below another root stays there."""
    root = root_of(path)
    if root is None:
        return os.path.realpath(path)
    return str(within(root, PurePath("/", Path(path).relative_to(root))))


def own_path(path: str | os.PathLike[str]) -> str:
    """The real path as the process calls it that has this root: as /proc/PID/fd shows it."""
    found = real_path(path)
    return found[len(str(root_of(found) or "")) :]


def open_there(path: str | os.PathLike[str], flags: int, dir_fd: int | None = None) -> int:
    """As os.open for reading, but no link leads out of another root."""
    root = root_of(path)
    if root is None:
        return os.open(path, flags, dir_fd=dir_fd)
    with _Walk(root) as walk:
        walk.go(Path(path).relative_to(root), must_exist=True)
        # What was walked to is opened itself, whatever has its name by now.
        return os.open(f"/proc/self/fd/{walk.here}", flags & ~os.O_NOFOLLOW)


class _Walk:
    """Goes from directory to directory below a root, and holds each open."""

    def __init__(self, root: Path) -> None:
        self.names: list[str] = []
        self._root = root
        self._opened: list[int] = []

    def __enter__(self) -> "_Walk":
        # The root is a link that only the kernel can follow.
        self._push(os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._opened:
            os.close(descriptor)

    @property
    def here(self) -> int:
        return self._opened[-1]

    def go(self, path: PurePath, must_exist: bool) -> None:
        """Go to `path`; of what does not exist, or may not be seen, only its name is taken."""
        pending = list(reversed(path.parts))
        links = 0
        while pending:
            name = pending.pop()
            if name in ("/", "//", ".."):
                self._back(0 if name != ".." else len(self.names) - 1)
                continue
            try:
                target = self._step(name)
            except OSError:
                if must_exist:
                    raise
                self._name_rest([name, *reversed(pending)])
                return
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                pending.extend(reversed(PurePath(target).parts))

    def _step(self, name: str) -> str | None:
        """Go one step; of a link, stay and tell where it leads."""
        descriptor = os.open(name, _STEP, dir_fd=self.here)
        if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
            self._push(descriptor, name)
            return None
        try:
            return os.readlink("", dir_fd=descriptor)
        finally:
            os.close(descriptor)

    def _push(self, descriptor: int, *name: str) -> None:
        self._opened.append(descriptor)
        self.names.extend(name)

    def _back(self, depth: int) -> None:
        """Go back to where only the first `depth` names are left; the root has none above it."""
        while len(self.names) > max(depth, 0):
            self.names.pop()
            os.close(self._opened.pop())

    def _name_rest(self, rest: list[str]) -> None:
        for name in rest:
            if name == ".." and self.names:
                self.names.pop()
            elif name not in ("/", "//", ".."):
                self.names.append(name)
