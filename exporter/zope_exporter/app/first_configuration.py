"""A configuration with comments, of what was found on a host, for people to go on from."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from zope_exporter.discovery.inventory import Inventory, Service, Site
from zope_exporter.system.humanize import plain

_HEAD = """\
# What zope-exporter watches on {host}, as `zope-exporter init` found it. Every key is optional;
# all of them are described at http://localhost:9673/docs/configuration.
# After a change: zope-exporter config check FILE, then restart the exporter.

# What must survive a restart: positions in logs, jobs, names. The unit for systemd sets it.
# state_dir: /var/lib/zope-exporter

# Whatever runs here is found without being named. What is named keeps its name, and is missed from
# the start if it does not run.
"""
_PING = """\
    # Without it the root of each Zope is probed, which answers even if the site below it is gone:
    # ping:
    #   - {{name: home, url: {url}, timeout: 5s}}
"""
_PAGE = """\
    # It answers only as long as the site is there; the root of Zope always does:
    ping:
      - {{name: page, url: {url}, timeout: 5s}}
"""
_BACKUP = """\
    # Nothing is backed up until a repository is named; see http://localhost:9673/docs/backup:
    # backup: {{repository: /backup/{directory}}}
    # Or, if others make the backups and you want to hear no more of it:
    # backup: {{elsewhere: true}}
"""
_TAIL = """
# What may be requested over HTTP, with the token of the file beside this one; see
# http://localhost:9673/docs/actions. Without this section nothing may.
# actions:
#   token_file: token
#   pack: {days: 1}
#   on_alert: {ZopePackOverdue: pack, ZopeBackupOverdue: backup}
"""


def configuration_for(inventory: Inventory, host: str, pages: Mapping[str, str]) -> str:
    """Return the text of a configuration that names what can be named of an inventory.

    `pages` are the URLs of pages to probe, by site.
    """
    named: set[tuple[Path | None, Path | None]] = set()
    sites = [_site(site, pages.get(site.name), named) for site in inventory.sites]
    listed = "".join(sites)
    is_empty = not any(line and not line.lstrip().startswith("#") for line in listed.splitlines())
    head = _HEAD.format(host=plain(host))
    return f"{head}{'sites: []' if is_empty else 'sites:'}\n{listed}{_TAIL}"


def _site(site: Site, page: str | None, named: set[tuple[Path | None, Path | None]]) -> str:
    """Return the entry of a site; one of which nothing can be named is told of in comments."""
    zopes: list[Service] = []
    servers: list[Service] = []
    others: list[Service] = []
    for service in site.services:
        files = service.config, service.wsgi_ini
        if not _can_be_named(service) or files in named:
            others.append(service)
        else:
            named.add(files)
            (zopes if service.kind == "zope" else servers).append(service)
    unnamed = "".join(f"    # Also here: {_told(each)}\n" for each in others)
    if not zopes and not servers:
        return f"  # The site {plain(site.name)} is watched as long as it runs:\n{unnamed}"
    lines = [f"  - name: {_text(site.name)}\n"]
    lines += ["    instances:\n", *map(_zope, zopes)] if zopes else []
    lines += ["    zeo:\n", *map(_zeo, servers)] if servers else []
    lines += [unnamed, *_suggested(site, page)]
    return "".join(lines)


def _zope(service: Service) -> str:
    files = {"zope_conf": service.config, "wsgi_ini": service.wsgi_ini}
    given = (f"        {key}: {_text(path)}\n" for key, path in files.items() if path)
    return f"      # {_told(service)}\n      - name: {_text(service.name)}\n{''.join(given)}"


def _zeo(service: Service) -> str:
    return f"      # {_told(service)}\n      - conf: {_text(service.config)}\n"


def _suggested(site: Site, page: str | None) -> Iterator[str]:
    url = next((url for each in site.services for url in each.urls), None)
    if page:
        yield _PAGE.format(url=_text(page))
    elif url:
        yield _PING.format(url=json.dumps(f"{plain(url).rstrip('/')}/SITE/@@ok"))
    if site.storages:
        # Of each site its own, as two cannot share one.
        yield _BACKUP.format(directory=re.sub("[^0-9A-Za-z._-]", "-", site.name))


def _can_be_named(service: Service) -> bool:
    """Whether there is a file by which it is found again: those in a container go with it."""
    files = [each for each in (service.config, service.wsgi_ini) if each]
    if service.kind == "zeo" and not service.config:
        return False
    fit = all(str(each).isprintable() and each.parts[:2] != ("/", "proc") for each in files)
    return bool(files) and fit and service.name.isprintable() and not service.is_one_of_several


def _told(service: Service) -> str:
    """Return what people know it by."""
    kind = "Zope" if service.kind == "zope" else "ZEO server"
    where = ", ".join(service.urls) or service.address
    files = " ".join(str(each) for each in (service.config, service.wsgi_ini) if each)
    what = f"{kind} {service.name}" + (f" at {where}" if where else "")
    runs = "" if service.process else ", does not run"
    return plain(f"{what}{runs}, of {files}" if files and service.kind == "zope" else what + runs)


def _text(value: object) -> str:
    """What YAML takes for this text and nothing else."""
    return json.dumps(str(value), ensure_ascii=False)
