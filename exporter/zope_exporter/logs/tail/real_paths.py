"""Where paths lead, asked of the file system without ever waiting for it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

KEPT_SECONDS = 60.0
PATIENCE = 0.25


class RealPaths:
    """Resolves paths, each at most once a minute; what hangs is taken as it is written.

    `resolve` may be called by several threads.
    """

    def __init__(
        self,
        resolve: Callable[[Path], str] = os.path.realpath,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._patience = patience
        self._clock = clock
        self._known: dict[Path, tuple[float, str]] = {}
        self._asked: dict[Path, threading.Thread] = {}
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> str:
        """Return where a path leads, as far as that is known in time."""
        with self._lock:
            when, real = self._known.get(path, (None, os.path.normpath(path)))
            if when is not None and self._clock() - when < KEPT_SECONDS:
                return real
            asked = self._asked.get(path)
            if asked is not None and asked.is_alive():  # it hangs; whoever came first has waited
                return real
            asked = threading.Thread(target=self._ask, args=(path,), name="real path", daemon=True)
            self._asked[path] = asked
            asked.start()
        asked.join(self._patience)
        return self._known.get(path, (None, real))[1]

    def _ask(self, path: Path) -> None:
        try:
            real = self._resolve(path)
        except (OSError, ValueError):  # a loop of links
            real = os.path.normpath(path)
        self._known[path] = self._clock(), real
