"""Whose a service is: a command line and a zope.conf may name what belongs to somebody else.

Owner and group of the files that are named tell it. Of another container nothing is judged: there
user ids may mean something else, and its processes can name its own files only.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .candidate import Candidate
from .evidence import user_of
from .inventory import Database, Service
from .looking import Looking


def stranger(found: Candidate, looking: Looking, proc: Path = Path("/proc")) -> str | None:
    """Say so if a process runs from files of another user of which nothing is its own.

    Raises HangsError.

    Its user is root, or owns the configuration or what a server writes, or has its group: an
    installer may well give the configuration to one user and run the server as another.
    """
    service = found.service
    file, process = service.wsgi_ini or service.config, service.process
    if process is None or file is None or found.source.root is not None:
        return None
    looking(file)
    with suppress(OSError, ValueError):
        status, place = file.stat(), proc / str(process.pid)
        user = user_of(place)
        if user in (0, status.st_uid) or user_of(place, "Gid:") == status.st_gid:
            return None
        owners = set(_owners(service, looking))
        if not owners or user in owners:  # without any file there is nothing to judge by
            return None
        return (
            f"process {process.pid} of user {user} was started with {file}, of user"
            f" {status.st_uid}, and owns nothing that this names: it is not watched"
        )
    return None


def with_own_data(found: Candidate, looking: Looking) -> Candidate:
    """Leave out each Data.fs that is not of the one who names it, and note whose the service is.

    Raises HangsError.
    """
    service = found.service
    file = service.config or service.wsgi_ini
    if file is None or found.source.root is not None:
        return found
    looking(file)
    try:
        status = file.stat()
    except (OSError, ValueError):
        return found
    own, problems = [], []
    for database in service.databases:
        looking(database.data_fs or file)
        other = _foreign(database, status, service)
        own += [database] if other is None else []
        problems += [] if other is None else [f"{file}, of user {status.st_uid}, names {other}"]
    if problems:
        told = (*service.problems, *problems)
        service = replace(service, databases=tuple(own), problems=told)
    return replace(found, service=service, owner=status.st_uid)


def _foreign(database: Database, conf: os.stat_result, service: Service) -> str | None:
    if database.data_fs is None:
        return None
    try:
        data = database.data_fs.stat()
    except (OSError, ValueError):
        return None  # nothing is there that could be anybody's
    if conf.st_uid in (0, data.st_uid) or conf.st_gid == data.st_gid:
        return None
    if _user(service) == data.st_uid:
        return None
    return (
        f"{database.data_fs}, of user {data.st_uid}: it is left alone; give both files one owner or"
        " group, or give zope_conf under sites:"
    )


def _user(service: Service) -> int | None:
    with suppress(OSError):
        return user_of(Path("/proc", str(service.process.pid))) if service.process else None
    return None


def _owners(service: Service, looking: Looking) -> Iterator[int]:
    """Yield who owns what a server writes."""
    files = [service.pid_file, service.event_log, service.access_log]
    for file in (*files, *(database.data_fs for database in service.databases)):
        with suppress(OSError, ValueError):
            if file is not None:
                looking(file)
                yield file.stat().st_uid
                yield file.parent.stat().st_uid
