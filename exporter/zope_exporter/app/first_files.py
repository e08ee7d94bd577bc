"""What a host needs for its first hour, made of what was found on it: texts by file name."""

import pwd
import re
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from zope_exporter.clients.http.probe import Prober
from zope_exporter.discovery.evidence import user_of
from zope_exporter.discovery.inventory import Inventory, Target
from zope_exporter.system.resources import shipped

from .check import Checked
from .first_configuration import configuration_for

CONFIG = "config.yml"
TOKEN = "token"  # noqa: S105 - the name of its file
UNIT = "zope-exporter.service"
SCRAPE = "prometheus-scrape.yml"


def first_files(
    inventory: Inventory, host: str, pages: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Return configuration, token, unit and scrape configuration; `host` is what it is called.

    `pages` has for each site the URL of a page to probe, as far as one is known.
    """
    return {
        CONFIG: configuration_for(inventory, host, pages or {}),
        TOKEN: f"{secrets.token_hex(32)}\n",
        UNIT: _unit(user_for(inventory)),
        SCRAPE: _scrape(host),
    }


def first_pages(checked: Checked) -> Mapping[str, str]:
    """Return for each site the URL of a page that answers only as long as the site is there.

    As far as there is one that does answer now: Plone has @@ok from 5.2 on.
    """
    prober = Prober()
    pages: dict[str, str] = {}
    for site in checked.inventory.sites:
        root = checked.roots.get(site.name)
        if not root or not site.targets:
            continue
        for url in (f"{site.targets[0].url}{root}{view}" for view in ("/@@ok", "")):
            if prober.probe(Target("page", url)).reason is None:
                pages[site.name] = url
                break
    return pages


def user_for(inventory: Inventory) -> str:
    """Return whom the exporter should run as: the user of most servers, root last of all."""
    users = Counter(_users(inventory)).most_common()
    return next((name for name, _ in sorted(users, key=_is_root)), "zope")


def _is_root(user: tuple[str, int]) -> bool:
    return user[0] == "root"


def _users(inventory: Inventory) -> Iterator[str]:
    for _, service in inventory.services():
        if service.process is not None:
            with suppress(OSError, KeyError):  # it has just ended, or is of a container
                yield pwd.getpwuid(user_of(Path("/proc", str(service.process.pid)))).pw_name


def _unit(user: str) -> str:
    text = (shipped("deploy") / UNIT).read_text()
    program = Path(sys.executable).with_name("zope-exporter")
    if program.exists():
        text = re.sub(r"^ExecStart=\S+", lambda _: f"ExecStart={program}", text, flags=re.MULTILINE)
    with suppress(KeyError):
        entry = pwd.getpwnam(user)
        # A group by number as well: it may be without a name.
        text = re.sub(r"^User=.*", lambda _: f"User={user}", text, flags=re.MULTILINE)
        text = re.sub(r"^Group=.*", lambda _: f"Group={entry.pw_gid}", text, flags=re.MULTILINE)
    return text


def _scrape(host: str) -> str:
    text = (shipped("alerts") / "prometheus.yml").read_text()
    jobs = text[text.index("scrape_configs:") :]
    head = "# Merge it into prometheus.yml. The rules come from: zope-exporter assets DIRECTORY\n"
    return head + jobs.replace("127.0.0.1:9673", f"{host}:9673")
