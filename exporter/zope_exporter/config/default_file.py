"""The configuration that is read when none is named."""

import os
import stat
from pathlib import Path

from zope_exporter.system.foreign_file import opened

from .load import ConfigError, Problem

DEFAULT = Path("/etc/zope-exporter/config.yml")


def chosen(named: Path | None, default: Path = DEFAULT) -> Path | None:
    """Return the file that was named, else the default one if there is one, else None.

    Raises ConfigError if the default one cannot be read, or if others than root and our user can
    write it: it may name programs to run, and nobody has asked for it.
    """
    if named is not None:
        return named
    try:
        default.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(default, error) from None
    try:
        with opened(default) as descriptor:
            _refuse_what_others_write(default, os.fstat(descriptor))
        _refuse_what_others_write(default.parent, default.parent.stat())
    except OSError as error:
        raise _unreadable(default, error) from None
    return default


def described(file: Path | None) -> str:
    """Return which configuration is used, for people."""
    return str(file) if file else f"none ({DEFAULT} does not exist)"


def _unreadable(path: Path, error: OSError) -> ConfigError:
    reason = f"cannot be read: {error.strerror}"
    remedy = "let the exporter's user read it, or name another file by --config.file"
    return ConfigError(path, [Problem(None, "", reason, remedy)])


def _refuse_what_others_write(path: Path, status: os.stat_result) -> None:
    if status.st_mode & stat.S_IWOTH:
        reason, remedy = "every user of this host can write it", f"chmod o-w {path}"
    elif status.st_uid not in (0, os.geteuid()):
        reason, remedy = f"belongs to user {status.st_uid}, not to root or to you", "chown it"
    else:
        return
    remedy += ", or name the configuration by --config.file if you trust that user"
    raise ConfigError(path, [Problem(None, "", reason, remedy)])
