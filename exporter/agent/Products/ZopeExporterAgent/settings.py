"""What may be said in the <product-config zope-exporter> of zope.conf."""

from __future__ import absolute_import

import grp

SECTION = "zope-exporter"


class Settings(object):
    """How the agent shall be; what it was told wrongly is in `problems`."""

    def __init__(self):
        self.socket_mode = 0o600
        self.socket_group = None  # number of the group, None for the process's own
        self.socket_directory = None  # None for the client home
        self.long_request_threshold = 5.0  # seconds
        self.problems = []


def read_settings(product_config):
    """The settings among all product configurations; a wrong one is named and left alone."""
    settings = Settings()
    given = (product_config or {}).get(SECTION) or {}
    for name in sorted(given):
        read = _READERS.get(name)
        if read is None:
            settings.problems.append("%s: unknown setting" % name)
            continue
        try:
            setattr(settings, name.replace("-", "_"), read(given[name]))
        except (KeyError, ValueError) as error:
            settings.problems.append("%s: %r: %s" % (name, given[name], error))
    return settings


def _socket_mode(text):
    mode = int(text, 8)
    if mode & ~0o666 or not mode & 0o600:
        raise ValueError("not a mode of a socket, such as 0660")
    return mode


def _socket_group(text):
    return int(text) if text.isdigit() else grp.getgrnam(text).gr_gid


def _socket_directory(text):
    if not text.startswith("/"):
        raise ValueError("not an absolute path")
    return text


def _threshold(text):
    seconds = float(text)
    if not 0.01 <= seconds <= 86400.0:
        raise ValueError("not a number of seconds from 0.01 to 86400")
    return seconds


_READERS = {
    "long-request-threshold": _threshold,
    "socket-directory": _socket_directory,
    "socket-group": _socket_group,
    "socket-mode": _socket_mode,
}
