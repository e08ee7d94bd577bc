"""Processes that see other files than we do, as in a container."""

import os
from dataclasses import replace
from pathlib import Path, PurePath

from zope_exporter.system.foreign_root import within

from .inventory import Database, Service, TlsFiles

_Mounted = tuple[str, str]


class HiddenRootError(Exception):
    """A process sees other files than we do, and we may not look at them."""


def other_root(proc: Path, pid: int, file: Path) -> Path | None:
    """The root of a process that sees other files than we do; None if it sees ours.

    Services under systemd have a mount namespace of their own too, with the same files in it.
    Raises HiddenRootError.
    """
    root = proc / str(pid) / "root"
    is_other = has_other_root(proc, pid)
    try:
        if not is_other and not (file.is_absolute() and _sees_another(root, file)):
            return None
        root.stat()
    except OSError:
        if is_other:
            raise HiddenRootError from None
        return None  # no right to see: that was said of its environment already
    return root


def has_other_root(proc: Path, pid: int) -> bool:
    """Whether another directory is the root of a process than is ours, as the kernel tells it."""
    # Everybody may see what is mounted where, so that a path of theirs is never taken for ours.
    theirs, ours = _mounted(proc / str(pid)), _mounted(Path("/proc/self"))
    return theirs is not None and theirs != ours


def _mounted(process: Path) -> _Mounted | None:
    """Device and directory that are the root of a process; None where that is not told."""
    try:
        lines = (process / "mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = None
    for line in lines:
        _, _, device, directory, mount, *_ = line.split(" ")
        if mount == "/":  # the last one lies over the others
            found = device, directory
    return found


def _sees_another(root: Path, file: Path) -> bool:
    theirs, ours = _identity(root / file.relative_to("/")), _identity(file)
    return theirs != ours or _identity(root) != _identity(Path("/"))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def root_key(root: Path | None) -> str:
    """What tells the files of one container from those of another."""
    return "" if root is None else str(_identity(root))


def is_elsewhere(root: Path, namespace: str) -> bool:
    """Whether the process with this root has another namespace (net, pid, ...) than we have."""
    try:
        return (root.with_name("ns") / namespace).readlink() != Path(
            "/proc/self/ns", namespace
        ).readlink()
    except OSError:
        return False


def seen_from_here(service: Service, root: Path) -> Service:
    """A service as its own files describe it, with the paths by which they are reached from here.

    Its process numbers files by other numbers than we do, so that its PID file tells us nothing.
    """
    place = _Place(root)
    service = replace(
        service,
        config=place.of(service.config),
        wsgi_ini=place.of(service.wsgi_ini),
        home=place.of(service.home),
        databases=tuple(map(place.database, service.databases)),
        pid_file=None,
        access_log=place.of(service.access_log),
        event_log=place.of(service.event_log),
        more_event_logs=tuple(
            replace(log, path=place.of(log.path) or log.path) for log in service.more_event_logs
        ),
        agent_home=place.of(service.agent_home),
        address=place.address(service.address),
    )
    return _reached(service) if is_elsewhere(root, "net") else service


def _reached(service: Service) -> Service:
    """Of a service in another network, without the addresses that mean something else here."""
    if service.kind == "zeo":
        told = "give address: under zeo: with one that reaches it"
        return replace(service, address="", monitor_address="", problems=_with(service, told))
    if not service.urls:
        return service
    told = "configure ping: with an address that reaches it"
    return replace(service, urls=(), problems=_with(service, told))


def _with(service: Service, told: str) -> tuple[str, ...]:
    problem = (
        f"{service.config or service.wsgi_ini}: it listens in another network than"
        f" zope-exporter's; {told}, or run zope-exporter in its network"
    )
    return (*service.problems, problem)


class _Place:
    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, path: Path | None) -> Path | None:
        return None if path is None else within(self._root, PurePath(path))

    def address(self, address: str) -> str:
        return os.fspath(within(self._root, PurePath(address))) if "/" in address else address

    def database(self, database: Database) -> Database:
        return replace(
            database,
            data_fs=self.of(database.data_fs),
            blob_dir=self.of(database.blob_dir),
            zeo_servers=tuple(map(self.address, database.zeo_servers)),
            zeo_tls=self._tls(database.zeo_tls),
        )

    def _tls(self, tls: TlsFiles | None) -> TlsFiles | None:
        if tls is None:
            return None
        return replace(
            tls, ca=self.of(tls.ca), certificate=self.of(tls.certificate), key=self.of(tls.key)
        )
