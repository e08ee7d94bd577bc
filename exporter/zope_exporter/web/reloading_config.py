"""Configuration files that say who may come in, through their changes."""

import logging
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from zope_exporter.config.load import ConfigError

log = logging.getLogger(__name__)

Content = TypeVar("Content")


def file_state(path: Path) -> tuple[int, ...] | None:
    """Return what differs after any write, rename or replacement of `path`; None if it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class ReloadingConfig(ABC, Generic[Content]):
    """A file that is read again whenever it has changed; `refused` is what a broken one costs."""

    refused: ClassVar[str]

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises ConfigError with all that is wrong with it.
        """
        self.path = path
        self._state = file_state(path)
        self._error: ConfigError | None = None
        self._content = self._load(None)

    def current(self) -> Content:
        """Return what the file says now.

        Raises ConfigError while it is broken or gone: nobody can tell who may come in then.
        """
        state = file_state(self.path)
        if state != self._state:
            self._read_again()
            self._state = state
        if self._error is not None:
            raise self._error
        return self._content

    @abstractmethod
    def _load(self, last_good: Content | None) -> Content:
        """Read the file, which was `last_good` before; raises ConfigError."""

    def _read_again(self) -> None:
        try:
            self._content, self._error = self._load(self._content), None
        except ConfigError as error:
            self._error = error
            log.error("refusing %s until this is repaired: %s", self.refused, error)
        else:
            log.info("%s: read again", self.path)
