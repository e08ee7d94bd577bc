"""The web configuration file through its changes."""

import logging
from collections.abc import Iterator
from pathlib import Path

from zope_exporter.config.document import ConfigError, Problem

from .webconfig import WebConfig, load_web_config

log = logging.getLogger(__name__)


def file_state(path: Path) -> tuple[int, ...] | None:
    """Return what differs after any write, rename or replacement of `path`; None if it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class WebConfigFile:
    """A web configuration file that is read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises ConfigError with all that is wrong with it.
        """
        self.path = path
        self._state = file_state(path)
        self._last_good = load_web_config(path)
        self._error: ConfigError | None = None

    def current(self) -> WebConfig:
        """Return what the file says now.

        Raises ConfigError while it is broken or gone: nobody can tell who may come in then.
        """
        state = file_state(self.path)
        if state != self._state:
            self._read_again()
            self._state = state
        if self._error is not None:
            raise self._error
        return self._last_good

    def _read_again(self) -> None:
        try:
            config = load_web_config(self.path)
            if problems := list(_too_late(self._last_good, config)):
                raise ConfigError(self.path, problems)
        except ConfigError as error:
            self._error = error
            log.error("refusing every request until this is repaired: %s", error)
        else:
            self._error, self._last_good = None, config
            log.info("%s: read again", self.path)


def _too_late(old: WebConfig, new: WebConfig) -> Iterator[Problem]:
    remedy = "restart zope-exporter if you mean it"
    if (old.tls_server_config is None) != (new.tls_server_config is None):
        yield Problem(None, "tls_server_config", "cannot come or go while running", remedy)
    # A file is empty for a moment when an editor writes it in place.
    if old.basic_auth_users and not new.basic_auth_users:
        yield Problem(None, "basic_auth_users", "cannot go while running", remedy)
