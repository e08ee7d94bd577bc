"""Names for sites and services, out of the directories they live in."""

from collections.abc import Container, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from .inventory import Service

# Where a Data.fs lies in an instance says nothing about which instance it is.
_LAYOUT = frozenset({"var", "filestorage", "etc"})


def service_names(service: Service) -> Iterator[str]:
    """Names for a service, best first, without end."""
    parts = _directory(service)
    if _is_part(parts):
        parts = [*parts[:-2], parts[-1]]
    if service.kind == "zeo" and parts:
        # One directory often holds a Zope and its ZEO server.
        return chain([parts[-1], f"{parts[-1]}-zeo"], _widening(parts))
    return _widening(parts)


def site_names(service: Service) -> Iterator[str]:
    """Names for the site of which this is the first service, best first, without end.

    Every buildout calls its parts instance, client1, zeoserver; what an administrator calls the
    site is the directory of the buildout.
    """
    parts = _directory(service)
    return _widening(parts[:-2] if _is_part(parts) else parts)


def first_free(names: Iterable[str], taken: Container[str]) -> str:
    """Return the best name that nothing else has."""
    return next(name for name in names if name not in taken)


def _directory(service: Service) -> list[str]:
    database = next((database for database in service.databases if database.data_fs), None)
    home = service.home or service.config
    if home is None and database is not None and database.data_fs is not None:
        home = database.data_fs.parent
    # Bytes that are no text would make a label that cannot be encoded.
    parts = [part.encode("utf-8", "replace").decode() for part in (home or Path()).parts[1:]]
    while parts and parts[-1] in _LAYOUT:
        parts.pop()
    return parts or [service.kind]


def _is_part(parts: list[str]) -> bool:
    return len(parts) > 2 and parts[-2] == "parts"


def numbered(name: str) -> Iterator[str]:
    """Yield the name itself, then with -2, -3 and so on."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def _widening(parts: list[str]) -> Iterator[str]:
    for start in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[start:])
    yield from numbered("-".join(parts))
