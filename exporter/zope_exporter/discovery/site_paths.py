"""Where the parts of a site are, as shell variables that the commands of the runbooks use.

All of it comes from the configuration of others: a value that is not printable or that a command
would take for an option is left out, whoever quotes it.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from zope_exporter.metrics.metric import encodable

from .inventory import Inventory, Service, Site

# Each name that a runbook may use, and what it is.
NAMES = {
    "SITE": "name of the site",
    "ZOPE": "name of the Zope",
    "PID": "its process, of several workers the first",
    "PID_FILE": "its pid file",
    "ZOPE_CONF": "its zope.conf",
    "ZOPE_INI": "its zope.ini",
    "EVENT_LOG": "its event log",
    "ACCESS_LOG": "its access log",
    "URL": "where it listens",
    "PORT": "the port of that",
    "REQUESTS": "path of its long requests at this exporter",
    "INSTANCE": "its instance directory",
    "DATABASE": "name of the database",
    "DATA_FS": "its Data.fs",
    "DATA_DIR": "the directory of that",
    "BLOB_DIR": "its blob directory",
    "BACKUP": "the repository of the backups",
    "ZEO_CONF": "zeo.conf of the ZEO server",
    "ZEO_LOG": "its log",
    "ZEO_HOST": "the host it listens on",
    "ZEO_PORT": "the port of that",
}


def find_site(inventory: Inventory, name: str) -> Site | None:
    """Return the site of this name, as it is in a label."""
    return next((site for site in inventory.sites if encodable(site.name) == name), None)


def site_paths(site: Site, zope: str = "", repository: Path | None = None) -> dict[str, str]:
    """Return the values of NAMES that are known, for the Zope of this name, else for the first.

    The backups of the site are in `repository`. Raises LookupError if it has no such Zope.
    """
    found: dict[str, object] = {"SITE": site.name, "BACKUP": repository, **_database(site)}
    served = [each for service in site.services if service.kind == "zope" for each in _of(service)]
    chosen = next((each for each in served if zope in ("", encodable(each.name))), None)
    if chosen is not None:
        found |= _zope(site, chosen)
    elif zope:
        raise LookupError(f"{site.name} has no Zope called {zope}")
    found |= _zeo(site)
    texts = {name: str(found[name]) for name in NAMES if found.get(name) not in (None, "")}
    return {name: text for name, text in texts.items() if _is_safe(text)}


def assignments(values: Mapping[str, str]) -> list[str]:
    """Return lines for a shell that set the variables; one that is not known is unset."""
    known = [f"{name}={shlex.quote(text)}" for name, text in values.items()]
    unknown = [name for name in NAMES if name not in values]
    return [*known, *(f"unset {name}  # {NAMES[name]}: not known" for name in unknown)]


def _of(service: Service) -> tuple[Service, ...]:
    """The service, and its workers where several of them have names of their own."""
    return (service, *(each for each in service.apart() if each.name != service.name))


def _is_safe(text: str) -> bool:
    return text.isprintable() and not text.startswith("-")


def _zope(site: Site, zope: Service) -> dict[str, object]:
    url = zope.urls[0] if zope.urls else ""
    process = zope.workers[0].process if zope.workers else zope.process
    asked = zope.apart()[0].name
    path = f"/api/v1/instances/{_quoted(asked)}/requests?site={_quoted(site.name)}"
    return {
        "ZOPE": zope.name,
        "PID": process.pid if process else None,
        "PID_FILE": zope.pid_file,
        "ZOPE_CONF": zope.config,
        "ZOPE_INI": zope.wsgi_ini,
        "EVENT_LOG": zope.event_log,
        "ACCESS_LOG": zope.access_log,
        "URL": url and f"{url.rstrip('/')}/",
        "PORT": _port(url),
        "REQUESTS": path,
        "INSTANCE": zope.home,
    }


def _quoted(name: str) -> str:
    return quote(encodable(name), safe="")


def _database(site: Site) -> dict[str, object]:
    """The main database, or the first."""
    for storage in sorted(site.storages, key=lambda each: each.database != "main"):
        return {
            "DATABASE": storage.database,
            "DATA_FS": storage.data_fs,
            "DATA_DIR": storage.data_fs.parent,
            "BLOB_DIR": storage.blob_dir,
        }
    return {}


def _zeo(site: Site) -> dict[str, object]:
    address = site.zeo[0].address if site.zeo else ""
    host, _, port = address.rpartition(":")
    found: dict[str, object] = {}
    if port.isdecimal():
        found = {"ZEO_HOST": host.strip("[]") or "127.0.0.1", "ZEO_PORT": port}
    for server in site.services:
        if server.kind == "zeo":
            return {**found, "ZEO_CONF": server.config, "ZEO_LOG": server.event_log}
    return found


def _port(url: str) -> int | None:
    try:
        parts = urlsplit(url)
        return parts.port or (443 if parts.scheme == "https" else 80 if parts.scheme else None)
    except ValueError:
        return None
