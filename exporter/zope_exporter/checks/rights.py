"""What the rights of root add, where the exporter has them: each one, and what needs it here."""

import os
import pwd
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zope_exporter.discovery.evidence import user_of
from zope_exporter.discovery.inventory import Inventory, Process, Service
from zope_exporter.system.humanize import few

from .finding import Finding, Severity

_UNKNOWN = "what it would not be allowed to read is unknown: a file system does not answer"
DEADLINE = 5.0  # seconds; a file system may hang

UserOf = Callable[[Path, Literal["Uid:", "Gid:"]], int]


@dataclass(frozen=True)
class _User:
    uid: int
    gids: frozenset[int]

    def may(self, path: Path, right: int) -> bool:
        """Whether it has a right (4 to read, 2 to write, 1 to enter) by owner, group and mode.

        Raises OSError.
        """
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return self.uid == 0 or stat.S_IMODE(status.st_mode) >> shift & right == right

    def may_read(self, path: Path) -> bool:
        """Whether it reaches a file and may read it; raises OSError."""
        enter = all(self.may(directory, 1) for directory in path.parents)
        return enter and self.may(path, 5 if path.is_dir() else 4)


def judge_rights(
    inventory: Inventory,
    euid: int,
    repositories: Iterable[Path] | None = (),
    user: UserOf = user_of,
) -> list[Finding]:
    """Return what root is needed for here, a finding for each right and one before them all.

    Nothing if the exporter is not root, or all is root's. `repositories` are what it backs up to,
    None if no file is to be looked at, as one hangs already.
    """
    owners = list(_owners(inventory, user))
    users = Counter(owner.uid for _, owner in owners if owner.uid)
    if euid != 0 or not users:
        return []
    # Who runs most of them is the one to run as.
    likeliest, _ = users.most_common(1)[0]
    become = next(owner for _, owner in owners if owner.uid == likeliest)
    needs = list(_needs(inventory, owners, become))
    needs += [_UNKNOWN] if repositories is None else _of_files(inventory, become, [*repositories])
    name = _name(likeliest)
    if not needs:
        text = (
            f"zope-exporter runs as root, all servers here as user {name}: run it as that user,"
            " whose rights are enough to watch them, to pack and to back up"
        )
    else:
        text = (
            f"zope-exporter runs as root; as user {name}, who runs most servers here, it would"
            " not have these rights"
        )
    return [Finding(Severity.OK, "", "rights", each) for each in (text, *needs)]


def _owners(inventory: Inventory, user: UserOf) -> Iterator[tuple[str, _User]]:
    """Yield each service that runs, as site/name, and the user it runs as."""
    for site, service in inventory.services():
        if service.process is not None:
            with suppress(OSError):  # it has just ended
                yield f"{site}/{service.name}", _user(service.process, user)


def _user(process: Process, user: UserOf) -> _User:
    place = Path("/proc", str(process.pid))
    uid, gid = user(place, "Uid:"), user(place, "Gid:")
    groups = [gid]
    with suppress(KeyError):  # of a container
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    return _User(uid, frozenset(groups))


def _needs(
    inventory: Inventory, owners: Sequence[tuple[str, _User]], become: _User
) -> Iterator[str]:
    others = [name for name, owner in owners if owner.uid != become.uid]
    if others:
        yield (
            f"CAP_SYS_PTRACE: the environment, directory and open files of {few(others)}; without"
            " it their configuration is found by absolute paths only, and no workers by evidence"
        )
        yield f"the agent's socket of {few(others)}, which answers its own user and root only"
    zopes = {f"{site}/{service.name}" for site, service in inventory.zopes() if service.databases}
    packed = sorted(zopes & set(others))
    if packed:
        yield (
            f"CAP_SETUID, CAP_SETGID: to pack the Data.fs of {few(packed)} as its owner while"
            " nobody has it open"
        )


def _of_files(inventory: Inventory, become: _User, repositories: Sequence[Path]) -> list[str]:
    """What is said of files; one that hangs leaves all of them unsaid."""
    told: list[str] = []

    def look() -> None:
        hidden = sorted(set(_hidden(inventory, become)))
        if hidden:
            told.append(f"CAP_DAC_READ_SEARCH: to read {few(hidden)}")
        closed = [str(each) for each in repositories if not _may(become, each, 3)]
        if closed:
            told.append(f"CAP_DAC_OVERRIDE: to write backups to {few(closed)}")

    thread = threading.Thread(target=look, name="rights", daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if thread.is_alive():
        return [_UNKNOWN]
    return told


def _hidden(inventory: Inventory, become: _User) -> Iterator[str]:
    for _, service in inventory.services():
        for path in _files(service):
            with suppress(OSError):
                if not become.may_read(path):
                    yield str(path)


def _files(service: Service) -> Iterator[Path]:
    logs = service.access_log, service.event_log, *(log.path for log in service.more_event_logs)
    for path in (service.config, service.wsgi_ini, *logs):
        if path is not None:
            yield path
    for database in service.databases:
        yield from filter(None, (database.data_fs, database.blob_dir))


def _may(user: _User, path: Path, right: int) -> bool:
    try:
        return user.may(path, right)
    except OSError:
        return True  # what is not there is refused to root, too


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # of a container
        return str(user)
