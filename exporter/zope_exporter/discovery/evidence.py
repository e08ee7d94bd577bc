"""Zopes that their command lines do not tell, known by what their processes have open.

That is the lock of a Data.fs together with the file, or the socket at which an agent listens. Both
are looked at from the process, as the kernel tells them: what lies in a directory proves nothing.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from .candidate import Source, real
from .inventory import Process, Service
from .listeners import listeners, with_listeners
from .looking import HangsError, LastKnown, Looking
from .roots import HiddenRootError, other_root
from .services import ServiceReader
from .workers import master_of, serve_together

_AGENT = re.compile(r"/.*/zope-exporter-\d+\.sock")
_LISTENS = 0x10000  # the kernel's __SO_ACCEPTCON
_LOCK = ".lock"
_CONFIGURATIONS = (".conf", ".ini")
_DEPTH = 4
_MOST_PARTS = 20


@dataclass(frozen=True)
class Holder:
    """A process that has open what only a Zope has: `data_files`, or an agent's `sockets`.

    `user` is the one it runs as; `argv`, `environ` and `directory` may tell of its zope.conf.
    """

    process: Process
    user: int
    data_files: tuple[Path, ...] = ()
    sockets: tuple[Path, ...] = ()
    argv: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path | None = None


def unix_listeners(proc: Path = Path("/proc")) -> dict[str, str]:
    """Return the paths of the Unix sockets where somebody listens, as /proc/PID/fd calls them."""
    found = {}
    with suppress(OSError, ValueError):
        for line in (proc / "net/unix").read_text(errors="replace").splitlines()[1:]:
            _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
            if int(flags, 16) & _LISTENS:
                found[f"socket:[{inode}]"] = "".join(path)
    return found


def holder(
    process: Process,
    argv: Sequence[str],
    proc: Path,
    sockets: Mapping[str, str],
    looking: Looking,
) -> Holder | None:
    """Return what a process has open that makes it a Zope, None if it has nothing of the kind.

    Raises HangsError.

    Who has a Data.fs and no socket to listen at is no server: a console, or what packs it.
    """
    place = proc / str(process.pid)
    opened = _opened(place)
    data_files = [Path(name) for name in opened if f"{name}{_LOCK}" in opened]
    listening = [sockets[name] for name in opened if name in sockets]
    agents = [Path(path) for path in listening if _AGENT.fullmatch(path)]
    if not agents and not (data_files and (listening or listeners(process.pid, proc))):
        return None
    for path in (*data_files, *agents):
        looking(path)
    with suppress(OSError, HiddenRootError, ValueError):
        if other_root(proc, process.pid, (*data_files, *agents)[0]) is not None:
            return None  # of a container, whose files are found by the command line alone
        user = user_of(place)
        # Whoever may read a Data.fs can open it, and its lock too.
        own = tuple(path for path in data_files if user in (0, path.stat().st_uid))
        bound = tuple(path for path in agents if path.lstat().st_uid == user)
        if own or bound:
            return Holder(process, user, own, bound, tuple(filter(None, argv)))
    return None


def _opened(process: Path) -> set[str]:
    """The names of what a process has open; none without the rights to look."""
    opened = set()
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                opened.add(os.fspath(link.readlink()))
    return opened


def user_of(process: Path, kind: Literal["Uid:", "Gid:"] = "Uid:") -> int:
    """Return as which user, or group, a process acts that is given by its place in /proc.

    Raises OSError, also if it has just ended.
    """
    for line in (process / "status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[2])
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), str(process))


class Evidence:
    """Finds the configuration of holders: the one that names what they have open."""

    def __init__(
        self,
        reader: ServiceReader,
        known: Iterable[Source],
        looking: Looking,
        earlier: LastKnown[Source | None],
    ) -> None:
        """`known` are the services that are declared or remembered, `earlier` has what was found of
        each process the last time."""
        self._reader = reader
        self._known = [source for source in known if source.kind == "zope"]
        self._looking = looking
        self._earlier = earlier
        self.problems: list[str] = []

    def sources(self, holders: Iterable[Holder]) -> list[Source]:
        """Return a source for each Zope, its master as the process and the rest as its workers."""
        found: dict[Path, list[tuple[Source, Process]]] = {}
        for each in holders:
            source = self._last_source(each)
            if source is not None:
                file = self._real(source.wsgi_ini or source.config or Path())
                found.setdefault(file, []).append((source, each.process))
            elif each.sockets:
                self.problems.append(
                    f"process {each.process.pid} is a Zope, whose agent listens at"
                    f" {each.sockets[0]}, but its zope.conf is not found; give zope_conf and agent"
                    " under sites:"
                )
        self._earlier.drop_unused()
        return [_served_together(file, members) for file, members in found.items()]

    def _last_source(self, holder: Holder) -> Source | None:
        with suppress(HangsError):
            return self._earlier.of(holder.process, lambda: self._source(holder))[0]
        return None

    def _source(self, holder: Holder) -> Source | None:
        hanging = None
        for source in self._candidates(holder):
            try:
                service = self._reader.read(source).service
            except HangsError as error:
                hanging = error  # it may be that one, if it is no other
                continue
            if service.config is not None and self._is_of(service, holder):
                return source
        if hanging is not None:
            raise hanging
        return None

    def _candidates(self, holder: Holder) -> Iterator[Source]:
        told = Source("zope", environ=holder.environ, directory=holder.directory)
        for known in self._known:
            yield replace(known, environ=holder.environ, directory=holder.directory)
        seen = set()
        for path, place in _places(holder, self._looking):
            if path in seen or not self._looking.answers(path):
                continue
            if _may_be_believed(path, place, holder.user):
                seen.add(path)
                is_ini = path.suffix == ".ini"
                yield replace(told, wsgi_ini=path) if is_ini else replace(told, config=path)

    def _is_of(self, service: Service, holder: Holder) -> bool:
        files = {self._real(path) for path in holder.data_files}
        homes = {self._real(path.parent) for path in holder.sockets}
        mounted = {self._real(each.data_fs) for each in service.databases if each.data_fs}
        home = service.agent_home and self._real(service.agent_home)
        # Of a server's own file, such as httpd.conf, the place alone would do: it mounts nothing.
        return bool(mounted & files) or (bool(service.databases) and home in homes)

    def _real(self, path: Path) -> Path:
        return real(path) if self._looking.answers(path) else path


def _places(holder: Holder, looking: Looking) -> Iterator[tuple[Path, Path | None]]:
    """Where its configuration may be; with the directory by which it was guessed."""
    here = holder.directory or Path("/")
    words = (part for word in holder.argv for part in (word, word.partition("=")[2], _title(word)))
    for word in (*words, *holder.environ.values()):
        if word.endswith(_CONFIGURATIONS) and "\0" not in word:
            yield here / word, None
    if holder.environ.get("INSTANCE_HOME"):
        yield here / holder.environ["INSTANCE_HOME"] / "etc/zope.conf", None
    tops = [here]
    for path in (*holder.data_files, *holder.sockets):
        tops += path.parents[:_DEPTH]
    for top in dict.fromkeys(tops):
        if top != Path("/"):
            yield top / "zope.conf", top
            yield top / "etc/zope.conf", top
            with suppress(OSError, HangsError):
                looking(top / "parts")
                for part in islice((top / "parts").iterdir(), _MOST_PARTS):
                    yield part / "etc/zope.conf", top


def _title(word: str) -> str:
    """What gunicorn calls a process after, as in `gunicorn: worker [zope.ini]`."""
    return word.partition(" [")[2].rstrip("] ")


def _may_be_believed(path: Path, place: Path | None, user: int) -> bool:
    """Whether a file is there, and of a guessed one, whether it is the process's own user's.

    In a directory such as /tmp anybody could put a zope.conf.
    """
    try:
        owner = path.stat().st_uid
        return place is None or owner in (0, user, place.stat().st_uid)
    except (OSError, ValueError):
        return False


def _served_together(file: Path, members: Sequence[tuple[Source, Process]]) -> Source:
    """One source for the processes of one configuration."""
    (source, first), *_ = members = sorted(members, key=lambda each: each[1].start_time)
    master = master_of(first.pid) or first
    workers = [each for _, each in members if each != master]
    strangers = [each for each in workers if not serve_together(first.pid, each.pid)]
    if strangers:
        rest = ", ".join(str(each.pid) for each in strangers)
        told = f"{file} is also run by process {rest}; only process {master.pid} is watched"
        source = replace(source, problems=(told,))
        workers = [each for each in workers if each not in strangers]
    return with_listeners(replace(source, process=master, workers=tuple(workers)))
