"""The state file: one SQLite database for what must survive a restart."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from .user_error import UserError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
FILE_NAME = "state.sqlite3"
SYSTEM_DIRECTORY = Path("/var/lib/zope-exporter")

Result = TypeVar("Result")

TURN_SECONDS = 10.0
_turns: dict[Path, threading.Lock] = {}


class StateError(UserError):
    """The state file cannot be used: names it, the reason and the remedy."""


def state_directory(
    configured: Path | None,
    environ: Mapping[str, str] = os.environ,
    system: Path = SYSTEM_DIRECTORY,
) -> Path:
    """Return the first directory that can be written, made with mode 0700 if it is missing.

    Only the configured one is tried if there is one. Raises StateError.
    """
    tried = []
    for directory in state_directories(configured, environ, system):
        if _usable(directory):
            return directory
        tried.append(str(directory))
    raise StateError(
        f"no state can be kept: {' and '.join(tried)} cannot be written; "
        "give state_dir a directory that belongs to the exporter's user"
    )


def state_file(
    configured: Path | None, environ: Mapping[str, str] = os.environ
) -> tuple[Path | None, str | None]:
    """Return the state file, or None and why there can be none."""
    try:
        return state_directory(configured, environ) / FILE_NAME, None
    except StateError as error:
        return None, str(error)


def state_directories(
    configured: Path | None, environ: Mapping[str, str], system: Path
) -> list[Path]:
    """Return the directories where the state may be, the one to try first before the others."""
    return [configured] if configured else [*_defaults(environ, system)]


def _defaults(environ: Mapping[str, str], system: Path) -> Iterator[Path]:
    # systemd gives several, separated by colons, if the unit asks for several.
    for directory in filter(None, environ.get("STATE_DIRECTORY", "").split(":")[:1]):
        yield Path(directory)
    yield system
    home = Path(environ.get("HOME") or "/nonexistent")
    yield Path(environ.get("XDG_STATE_HOME") or home / ".local/state", "zope-exporter")


def _usable(directory: Path) -> bool:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK)


@contextmanager
def open_state(file: Path, timeout: float = 2.0) -> Iterator[sqlite3.Connection]:
    """Run one transaction in the state file; wait `timeout` seconds for that of another process.

    Threads of this process take turns, and may wait TURN_SECONDS. Raises StateError if either takes
    longer, and for everything that goes wrong in the database, also within the block.
    """
    with _turn(file), _transaction(file, timeout) as state:
        yield state


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    """Wait until no other thread uses the file: SQLite only tries again, and some never have luck.

    Without turns, dozens of threads of a large host fail while each transaction takes 10 ms.
    """
    turn = _turns.setdefault(file, threading.Lock())
    if not turn.acquire(timeout=TURN_SECONDS):
        told = f"{file}: not free for {TURN_SECONDS:.0f} s; look whether its file system hangs"
        raise StateError(told)
    try:
        yield
    finally:
        turn.release()


@contextmanager
def _transaction(file: Path, timeout: float) -> Iterator[sqlite3.Connection]:
    try:
        if not file.exists():
            _make(file)
        inode = file.stat().st_ino
        # Isolation by hand: the module would begin a transaction only at the first write.
        with closing(sqlite3.connect(file, timeout=timeout, isolation_level=None)) as state:
            # Not in WAL mode: going into it, and the last one out of it, does not wait for others.
            state.execute("BEGIN IMMEDIATE")
            _check_version(state, file)
            yield state
            state.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        aside = _set_aside(file, inode) if _is_damage(error) else None
        if aside is None:
            raise StateError(f"{file}: {error}; {_remedy(error)}") from error
        told = f"{file}: {error}; it was moved to {aside}, and what was remembered begins anew"
        log.error(told)
        raise StateError(told) from error


def _make(file: Path) -> None:
    # Somebody may have removed the directory of an exporter that runs.
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_to_owner(file.parent)
        log.warning("%s was gone, with all that was remembered; it was made again", file.parent)
    file.touch(mode=0o600)
    give_to_owner(file)


def _set_aside(file: Path, inode: int) -> Path | None:
    """Give a damaged file another name, so that the next one to come makes a new one.

    There is at most one such file: a disk that fails shall not be filled with them.
    """
    aside = file.with_name(f"{file.name}.damaged")
    try:
        if file.stat().st_ino != inode:  # somebody else has done it
            return None
        file.replace(aside)
        # What was to be undone belongs to the damaged one; to a new one it would be poison.
        with suppress(FileNotFoundError):
            file.with_name(f"{file.name}-journal").replace(f"{aside}-journal")
    except OSError:
        return None
    return aside


def make_directory(directory: Path) -> None:
    """Make a directory within the state directory if it is missing."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return
    give_to_owner(directory)


def give_to_owner(path: Path) -> None:
    """Let what root has just made belong to the owner of its directory.

    Else a command of root would lock the exporter out, which runs as somebody else.
    """
    if os.geteuid() == 0:
        directory = path.parent.stat()
        os.chown(path, directory.st_uid, directory.st_gid, follow_symlinks=False)


def _check_version(state: sqlite3.Connection, file: Path) -> None:
    (version,) = state.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{file}: written by a newer zope-exporter; use that one, or move the file away"
        )
    if version == 0:
        state.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        # By this a file that was made anew is known, which may well have the inode of the old one.
        number = int.from_bytes(os.urandom(4), "big") >> 1 or 1
        state.execute(f"PRAGMA application_id = {number}")


class OptionalTable:
    """A table of the state file, for who can go on without it.

    `lost` says in half a sentence what that costs, `problem` why it is so; None while all is well.
    `replaced` counts how often another file was found in the place of the one before.
    """

    def __init__(self, file: Path | None, table: str, lost: str, problem: str | None) -> None:
        self._file = file
        self._table = table
        self._lost = lost
        self._number: int | None = None
        self.problem = problem
        self.replaced = 0

    def attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """Return what `work` gives in one transaction with the table made, None if that fails."""
        if self._file is None:
            return None
        try:
            with open_state(self._file) as state:
                state.execute(self._table)
                result = work(state)
                (number,) = state.execute("PRAGMA application_id").fetchone()
        except StateError as error:
            self.problem = f"{error}; {self._lost}"
            return None
        self.problem = None
        self.replaced += self._number not in {None, number}
        self._number = number
        return result


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and (
        "not a database" in str(error) or "malformed" in str(error)
    )


def _remedy(error: Exception) -> str:
    text = str(error)
    if _is_damage(error):
        return "move the file away"
    if "full" in text:
        return "make room on its file system"
    if "locked" in text:
        return "another process writes to it: try again in a minute"
    return "let the exporter's user write the file and its directory"
