"""What a search looks at just now; a look that does not end costs only what depends on it.

Nothing can take back a thread that waits for a file system whose server is gone. So the search is
begun anew in another thread, and the place that hangs is left alone until the first one returns:
each place costs two threads, however often the host is searched.
"""

import os
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path, PurePath
from typing import Generic, TypeVar, cast

from zope_exporter.system.foreign_root import root_of

T = TypeVar("T")

_PAUSE = 0.1
_MOST_LINKS = 40
_MOST_PLACES = 20  # with more of them a search waits, as it would without all this


class HangsError(Exception):
    """What is to be looked at does not answer, and is not looked at again until it does."""


class AbandonedError(Exception):
    """This search was given up; another one has taken its place."""


@dataclass(frozen=True)
class Limits:
    """After how many seconds a look is suspicious, how long its file system may take then to say
    how much room it has, and after how many a look hangs whatever that one says."""

    suspicious: float = 2.0
    second: float = 2.0
    longest: float = 10.0


@dataclass(frozen=True)
class _Hanging:
    text: str
    threads: tuple[threading.Thread, ...]

    @property
    def is_over(self) -> bool:
        return not all(thread.is_alive() for thread in self.threads)


class Looking:
    """Knows what a search looks at, and runs searches that go around what hangs.

    Noted before each look, since a file system that hangs lets nothing be noted afterwards. Only
    the thread of the latest search may call it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._at: object = ""
        self._step = ""
        self._since: float | None = None
        self._ways: dict[str, str] = {}  # to what paths lead, of this search
        self._attempt: _Attempt | None = None
        self._hanging: dict[str, _Hanging] = {}

    def __call__(self, what: object) -> None:
        """Note what is looked at next: a path, or a text.

        Raises HangsError if that is known to hang, AbandonedError in a search that was given up.
        """
        if self._attempt not in (None, threading.current_thread()):
            raise AbandonedError
        self._at, self._since = what, time.monotonic()
        self._go(str(what))

    def __str__(self) -> str:
        return str(self._at)

    def answers(self, what: object) -> bool:
        """Note what is looked at next, and return whether it may be looked at."""
        try:
            self(what)
        except HangsError:
            return False
        return True

    @property
    def hanging(self) -> tuple[str, ...]:
        """A sentence for each place that hangs."""
        return tuple(each.text for each in self._hanging.values() if not each.is_over)

    def run(self, search: Callable[[], T]) -> T:
        """Return what a search brings, or raise what it raises; what hangs is gone around."""
        self._hanging = {at: each for at, each in self._hanging.items() if not each.is_over}
        while True:
            self._since, self._ways = None, {}
            attempt = self._attempt = _Attempt(search)
            attempt.start()
            while attempt.is_alive() and not self._give_up(attempt):
                attempt.join(_PAUSE)
            if not attempt.is_alive():
                return cast(T, attempt.outcome())

    def _give_up(self, attempt: "_Attempt") -> bool:
        """Whether the search hangs; where it does is left alone from now on."""
        step, since = self._step, self._since
        waited = 0.0 if since is None else time.monotonic() - since
        if waited < self._limits.suspicious or len(self._hanging) >= _MOST_PLACES:
            return False
        place = step
        waiting: list[threading.Thread] = [attempt]
        mount = _mount_of(step)
        if mount is not None:
            asking = _asked_for_room(mount)
            asking.join(self._limits.second)
            if asking.is_alive():
                place = mount
                waiting.append(asking)
        if since != self._since or place in self._hanging:  # it goes on, or is about to
            return False
        if place == step and waited < self._limits.longest:
            return False
        began = datetime.fromtimestamp(time.time() - waited, timezone.utc)
        text = f"{place} has not answered since {began:%Y-%m-%d %H:%M:%S} UTC: does it hang?"
        self._hanging = {**self._hanging, place: _Hanging(text, tuple(waiting))}
        return True

    def _go(self, what: str) -> None:
        """Go to a path step by step, so that it is known which of them does not end.

        What lies below the root of another process is one step, and what is no path, too.
        """
        root = root_of(what)
        if root is not None or not what.startswith("/"):
            self._enter(str(root or what))
            return
        there = self._ways.get(what)
        if there is not None:  # asked for again, by another Zope or for another reason
            self._enter(there)
            return
        directory, name = os.path.split(what)
        here = self._ways.get(directory)
        if here is None:
            here = self._ways[directory] = self._walk("/", directory)
        self._ways[what] = self._walk(here, name)

    def _walk(self, here: str, way: str) -> str:
        """Go on from a directory without links; return where that leads, without links too."""
        pending, links = [*reversed(PurePath(way).parts)], 0
        while pending and links <= _MOST_LINKS:
            here = os.path.normpath(os.path.join(here, pending.pop()))  # noqa: PTH118 - often
            self._enter(here)
            try:
                target = os.readlink(here)  # noqa: PTH115
            except (OSError, ValueError):
                continue  # no link
            links += 1
            here = os.path.dirname(here)  # noqa: PTH120
            pending.extend(reversed(PurePath(target).parts))
        return here

    def _enter(self, step: str) -> None:
        self._step = step
        hanging = self._hanging.get(step)
        if hanging is not None and not hanging.is_over:
            raise HangsError(f"{hanging.text} What was last known of {self._at} is shown")


class _Attempt(threading.Thread):
    """One try to search."""

    def __init__(self, search: Callable[[], object]) -> None:
        super().__init__(name="search of this host", daemon=True)
        self.outcome: Callable[[], object] = lambda: None
        self._search = search

    def run(self) -> None:
        try:
            self.outcome = partial(_same, self._search())
        except Exception as error:  # for whoever waits for the outcome
            self.outcome = partial(_raised, error)


def _same(found: object) -> object:
    return found


def _raised(error: Exception) -> object:
    raise error


def _asked_for_room(mount: str) -> threading.Thread:
    """A thread that ends when the file system answers. Not by the name that was looked at: who asks
    for one that is asked for already may wait for good, and nobody can end a process with that."""

    def ask() -> None:
        with suppress(OSError):
            os.statvfs(mount)

    thread = threading.Thread(target=ask, name="second look", daemon=True)
    thread.start()
    return thread


def _mount_of(step: str, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Return where its file system is mounted; None for that of all the host, and for no path."""
    if not step.startswith("/") or root_of(step) is not None:
        return None
    place = "/"
    for line in mounts.read_bytes().splitlines():
        mount = os.fsdecode(line.split(b" ")[4].decode("unicode_escape").encode("latin-1"))
        if f"{step}/".startswith(f"{mount}/") and len(mount) > len(place):
            place = mount
    return None if place == "/" else place


class LastKnown(Generic[T]):
    """What was found of each thing the last time that it could be looked at."""

    def __init__(self) -> None:
        self._known: dict[Hashable, T] = {}
        self._used: set[Hashable] = set()

    def of(self, key: Hashable, find: Callable[[], T]) -> tuple[T, str]:
        """Find it; if that hangs, return what was found the last time and what is to be said.

        Raises HangsError if nothing was found yet.
        """
        self._used.add(key)
        try:
            found = find()
        except HangsError as error:
            if key in self._known:
                return self._known[key], str(error)
            raise
        self._known[key] = found
        return found, ""

    def drop_unused(self) -> None:
        """Forget all that was not asked for since the last call."""
        self._known = {key: known for key, known in self._known.items() if key in self._used}
        self._used = set()
