"""The Zope and ZEO processes of this host, by one pass over /proc or by their PID files."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol

import psutil

from .candidate import FILENAME, Source, real
from .command_line import CommandLine, CommandLineError, parse
from .evidence import Holder, holder, unix_listeners, user_of
from .inventory import Process
from .listeners import with_listeners
from .looking import HangsError, LastKnown, Looking
from .roots import HiddenRootError, has_other_root, other_root, root_key
from .workers import may_be_server

_HIDDEN = (
    "processes of other users are hidden from zope-exporter (/proc is mounted with hidepid or"
    " ProtectProc is set); run it as the user of Zope or as root, or lift that"
)


class RunningProcess(Protocol):
    """What discovery asks of psutil.Process."""

    @property
    def pid(self) -> int: ...
    def cmdline(self) -> list[str]: ...
    def is_running(self) -> bool: ...
    def create_time(self) -> float: ...
    def ppid(self) -> int: ...
    def cwd(self) -> str: ...
    def environ(self) -> dict[str, str]: ...
    def username(self) -> str: ...


@dataclass(frozen=True)
class Processes:
    """The servers that run, and sentences about those that could not be inspected.

    `holders` are those whose command lines do not tell that they are Zopes. `hidden` says why there
    may be others that cannot be seen.
    """

    sources: tuple[Source, ...] = ()
    problems: tuple[str, ...] = ()
    hidden: str = ""
    holders: tuple[Holder, ...] = ()


def find_processes(
    running: Callable[[], Iterable[RunningProcess]] = psutil.process_iter,
    proc: Path = Path("/proc"),
    looking: Looking | None = None,
    known: "LastKnown[Seen] | None" = None,
) -> Processes:
    """Look at every process once. Never raises because of one of them.

    `known` has what was seen of those of which something hangs.
    """
    scan = _Scan(proc, looking or Looking(), LastKnown() if known is None else known)
    for process in running():
        scan.look_at(process)
    scan.known.drop_unused()
    sources = scan.leaders()
    hidden = _HIDDEN if scan.hidden and not (sources or scan.holders) else ""
    return Processes(sources, tuple(scan.problems), hidden, tuple(scan.holders))


@dataclass(frozen=True)
class _Server:
    source: Source
    process: Process
    parent: int
    key: tuple[str, str]  # whose files, and which of them is its configuration
    file: Path


Seen = _Server | Holder | None
"""What a process was seen to be."""


class _Scan:
    """One pass over the processes: the servers seen so far, and what could not be seen."""

    def __init__(self, proc: Path, looking: Looking, known: LastKnown[Seen]) -> None:
        self.known = known
        self.problems: list[str] = []
        self.hidden = not (proc / "1").exists()
        self._proc = proc
        self._looking = looking
        self._servers: list[_Server] = []
        self.holders: list[Holder] = []
        self._sockets = unix_listeners(proc)

    def look_at(self, process: RunningProcess) -> None:
        try:
            this = Process(process.pid, process.create_time())
            seen, _ = self.known.of(this, lambda: self._look_at(process))
            if isinstance(seen, _Server):
                self._servers.append(seen)
            elif seen is not None:
                self.holders.append(seen)
        except (HangsError, ValueError) as error:
            # Anybody may start anything: what is wrong with one process is no reason to miss all.
            self.problems.append(f"process {process.pid} could not be inspected: {error}")
        except CommandLineError as error:
            self.problems.append(f"process {process.pid} is a Zope or ZEO server, but {error}")
        except psutil.AccessDenied:
            self.hidden = True
        except (psutil.Error, OSError):  # it ended meanwhile, or is a zombie
            return

    def _look_at(self, process: RunningProcess) -> Seen:
        # What a process waits for may keep those waiting who ask for its command line.
        self._looking(f"process {process.pid}")
        argv = process.cmdline()
        command = parse(argv)
        # psutil keeps its objects from pass to pass; this one may be of an earlier process.
        if command is not None and process.is_running():
            return self._look_into(process, command)
        if command is None and may_be_server(argv) and process.pid != os.getpid():
            return self._look_at_files(process, argv)
        return None

    def _look_into(self, process: RunningProcess, command: CommandLine) -> _Server | None:
        directory = _directory(process)
        served = dict(command.variables).get(FILENAME, "") if command.kind == "zeo" else ""
        file = Path(directory or "", command.wsgi_ini or command.config or served)
        answers = self._looking.answers(file)
        try:
            root = self._root(process.pid, file, answers)
        except HiddenRootError:
            self.problems.append(_hidden_root(process, self._proc))
            return None
        if not file.is_absolute():
            self.problems.append(_missing_right(process, file))
            return None
        this = Process(process.pid, process.create_time())
        source = Source(
            command.kind,
            config=file if command.config else None,
            wsgi_ini=file if command.wsgi_ini else None,
            variables=_in_full(command, directory),
            environ=_environ(process),
            directory=directory,
            debug=command.debug,
            process=this,
            root=root,
            of_any_application=command.of_any_application,
        )
        key = root_key(root), str(file if root or not answers else real(file))
        return _Server(source, this, process.ppid(), key, file)

    def _root(self, pid: int, file: Path, answers: bool) -> Path | None:
        if answers:
            return other_root(self._proc, pid, file)
        return self._proc / str(pid) / "root" if has_other_root(self._proc, pid) else None

    def _look_at_files(self, process: RunningProcess, argv: list[str]) -> Holder | None:
        this = Process(process.pid, process.create_time())
        found = holder(this, argv, self._proc, self._sockets, self._looking)
        if found is None:
            return None
        return replace(found, directory=_directory(process), environ=_environ(process))

    def leaders(self) -> tuple[Source, ...]:
        """One process for each configuration file, the one that was started first.

        What a server forks has its command line too: workers, and children about to run something
        else.
        """
        servers = sorted(
            self._servers, key=lambda each: (each.key, each.process.start_time, each.process.pid)
        )
        return tuple(
            self._leader(key[1], list(same)) for key, same in groupby(servers, key=lambda s: s.key)
        )

    def _leader(self, file: str, servers: list[_Server]) -> Source:
        pids = {server.process.pid for server in servers}
        apart = [each for each in servers if each.parent not in pids] or servers
        if len(apart) > 1:
            # Anybody may start something with a file that is not theirs.
            apart = sorted(apart, key=lambda each: not self._is_of_owner(each))
        first, *others = apart
        if first.source.of_any_application:
            first = replace(first, source=with_listeners(first.source, self._proc))
        if not others:
            return first.source
        rest = ", ".join(str(server.process.pid) for server in others)
        told = f"{file} is also run by process {rest}; only process {first.process.pid} is watched"
        return replace(first.source, problems=(told,))

    def _is_of_owner(self, server: _Server) -> bool:
        """Whether root runs it, or the user whose its configuration is."""
        with suppress(OSError, ValueError):
            user = user_of(self._proc / str(server.process.pid))
            answers = self._looking.answers(server.file)
            return answers and user in (0, server.file.stat().st_uid)
        return False


def _in_full(command: CommandLine, directory: Path | None) -> tuple[tuple[str, str], ...]:
    """What it was told, with the path of the Data.fs of a ZEO server as it is seen from here."""
    return tuple(
        (key, str(Path(directory or "", value)))
        if command.kind == "zeo" and key == FILENAME
        else (key, value)
        for key, value in command.variables
    )


def _directory(process: RunningProcess) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.AccessDenied:
        return None


def _environ(process: RunningProcess) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.AccessDenied:
        return {}  # what its configuration takes from there is missed when that is read


def _missing_right(process: RunningProcess, file: Path) -> str:
    user = process.username()
    # A process that changed its user, as a Zope started by root does, is closed even to that user.
    become = "root" if user == _own_name() else f"{user} or root"
    return (
        f"process {process.pid} of user {user} was started with {file}, but its working directory "
        f"cannot be read; run zope-exporter as {become}, or give it CAP_SYS_PTRACE"
    )


def _own_name() -> str:
    return psutil.Process(os.getpid()).username()


def _hidden_root(process: RunningProcess, proc: Path) -> str:
    owner = (proc / str(process.pid)).stat()
    return (
        f"process {process.pid} is a Zope or ZEO server in another container, whose files may not "
        f"be read; run zope-exporter with its user and group ({owner.st_uid}:{owner.st_gid}), or "
        "as root with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
    )
