"""What the rights of root add, where the exporter has them."""

import pwd
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from zope_exporter.discovery.evidence import user_of
from zope_exporter.discovery.inventory import Inventory

from .finding import Finding, Severity


def judge_rights(
    inventory: Inventory, euid: int, user: Callable[[Path], int] = user_of
) -> list[Finding]:
    """Return what root is needed for here; nothing if it is not root, or all is root's."""
    users = sorted(set(_users(inventory, user)) - {0})
    if euid != 0 or not users:
        return []
    names = [_name(each) for each in users]
    if len(names) == 1:
        text = (
            f"zope-exporter runs as root, and all servers here as user {names[0]}: run it as that"
            " user, which is all it takes to watch them, to pack and to back up"
        )
    else:
        text = (
            f"zope-exporter runs as root, by which it sees what each of the users"
            f" {', '.join(names)} keeps from the others: environment, open files, configuration,"
            " Data.fs, logs and the agent's socket"
        )
    return [Finding(Severity.OK, "", "rights", text)]


def _users(inventory: Inventory, user: Callable[[Path], int]) -> Iterator[int]:
    for service in (each for site in inventory.sites for each in site.services):
        if service.process is not None:
            with suppress(OSError):  # it has just ended
                yield user(Path("/proc", str(service.process.pid)))


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # of a container
        return str(user)
