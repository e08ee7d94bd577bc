"""Configuration files somebody else wrote: read without trust, and again only when they changed."""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from zope_exporter.discovery.candidate import Source
from zope_exporter.discovery.looking import Looking
from zope_exporter.system.foreign_file import ForeignFileError, read
from zope_exporter.system.foreign_root import within

MAX_BYTES = 4 * 1024 * 1024
# A file that changes twice within one tick of its file system's clock keeps its stamp.
_SETTLED_NS = 2_000_000_000
_Stamp = tuple[int, int, int] | None
_Key = tuple[Path | None, Path, Hashable]  # whose file it is, and how it is to be read


class ConfigFileError(Exception):
    """A configuration file cannot be understood: names the file, the reason and a remedy.

    It never quotes the file, which may hold passwords.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def read_text(path: Path, problems: list[str], root: Path | None = None) -> str:
    """The text of a regular file of at most MAX_BYTES; raises ConfigFileError.

    Bytes that are not UTF-8 are replaced, and `problems` says so: Python 2 let Latin-1 comments
    pass, and they are no reason to lose the rest of the file. `root` is that of the process whose
    file it is, if not ours.
    """
    try:
        data = read(seen(path, root), MAX_BYTES)
    except ForeignFileError as error:
        raise ConfigFileError(path, f"{error.reason}; {error.remedy}") from error
    if b"\0" in data:
        raise ConfigFileError(path, "not text; is this a configuration file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{path}, line {line}: not UTF-8; save the file as UTF-8")
        return data.decode("utf-8-sig", errors="replace")


def seen(path: Path, root: Path | None) -> Path:
    """Where a file is that a process with this root has as `path`."""
    return path if root is None else within(root, path)


class Conf(Protocol):
    """What every reader of configuration files returns."""

    @property
    def files(self) -> tuple[Path, ...]: ...
    @property
    def problems(self) -> tuple[str, ...]: ...


C = TypeVar("C", bound=Conf)


@dataclass(frozen=True)
class Content(Generic[C]):
    """What a file says, None if it cannot be read, with the variables it refers to."""

    content: C | None = None
    environ: dict[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Kept(Generic[C]):
    stamps: dict[Path, _Stamp]
    content: Content[C]


class ConfCache(Generic[C]):
    """What files said, until one of them changes or they are to be read in another way."""

    def __init__(self, read: Callable[[Path, Source], C], looking: Looking | None = None) -> None:
        self._read = read
        self._looking = looking or Looking()
        self._kept: dict[_Key, _Kept[C]] = {}
        self._used: set[_Key] = set()

    def get(self, path: Path | None, source: Source) -> Content[C]:
        """Return what the file says, as the source's process reads it; raises HangsError alone."""
        if path is None:
            return Content()
        # A search reads it both as the process does and as it is remembered.
        key = source.root, path, _inputs(source)
        self._used.add(key)
        kept = self._kept.get(key)
        if kept and kept.stamps == self._stamps(kept.stamps, source):
            return kept.content
        self._kept.pop(key, None)
        self._looking(_named(path, source.root))
        started = time.time_ns()
        environ = _RecordingEnviron(source.environ)
        try:
            conf = self._read(path, replace(source, environ=environ))
        except (ConfigFileError, OSError, ValueError) as error:
            return Content(problems=(str(error),))
        content = Content(conf, environ.used, conf.problems)
        stamps = self._stamps(conf.files, source)
        if all(stamp and stamp[0] < started - _SETTLED_NS for stamp in stamps.values()):
            self._kept[key] = _Kept(stamps, content)
        return content

    def drop_unused(self) -> None:
        """Forget all files that were not asked for since the last call."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._used}
        self._used.clear()

    def _stamps(self, files: Iterable[Path], source: Source) -> dict[Path, _Stamp]:
        return {file: self._stamp(file, source.root) for file in files}

    def _stamp(self, path: Path, root: Path | None) -> _Stamp:
        self._looking(_named(path, root))
        try:
            status = seen(path, root).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _named(path: Path, root: Path | None) -> Path:
    """Where a file is, by a name for which nothing has to be looked at."""
    return path if root is None else root / path.relative_to(path.anchor)


class _RecordingEnviron(Mapping[str, str]):
    """An environment that records which of its variables are used."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.used: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        value = self._environ[name]
        self.used[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def _inputs(source: Source) -> Hashable:
    environ = frozenset(source.environ.items())
    return environ, source.variables, source.directory, source.wsgi_ini is None
