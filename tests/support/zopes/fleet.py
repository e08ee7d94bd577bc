"""Sites of real Zopes that one exporter watches, each as what is to befall it needs it."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.programs.processes import eventually
from tests.support.programs.server import free_port
from tests.support.web.front import front
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance, timed
from tests.support.zopes.pages import publish_pages

ZEO_SITE, BACKED_UP = "remote", "overdue"

_WITH_BLOBS = """\
cache-size-bytes 50MB
<blobstorage>
  blob-dir $INSTANCE/var/blobs
  <filestorage>
    path $INSTANCE/var/Data.fs
  </filestorage>
</blobstorage>
"""


@dataclass
class Fleet:
    """What runs, by the name of the site."""

    zopes: dict[str, ZopeInstance]
    zeo: ZeoServer
    token: str
    config: Path
    syslog_port: int
    visitors: "Visitors"
    hands: ThreadPoolExecutor

    def in_parallel(self, deeds: Iterable[Callable[["Fleet"], object]]) -> None:
        """Do all at the same time; the first error is raised when all have ended."""
        for done in [self.hands.submit(deed, self) for deed in deeds]:
            done.result()

    def get(self, site: str, path: str) -> int:
        return self.zopes[site].site.get(path).status_code

    def act(self, exporter: str, action: str) -> None:
        """Have the exporter do it to the one site that has backups; wait until it has."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{exporter}/api/v1/actions/{action}"
        site = {"site": BACKED_UP}
        answer = httpx.post(url, headers=headers, json=site, trust_env=False, timeout=30)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        eventually(lambda: self.jobs(exporter)[0]["state"] not in ("queued", "running"))
        assert self.jobs(exporter)[0]["state"] == "succeeded", self.jobs(exporter)

    def say(self, message: bytes) -> None:
        """Send it to the exporter as syslog does."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(message, ("127.0.0.1", self.syslog_port))

    def jobs(self, exporter: str) -> list[dict[str, Any]]:
        """The newest first."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{exporter}/api/v1/jobs"
        found = httpx.get(url, headers=headers, trust_env=False, timeout=30).json()
        jobs: list[dict[str, Any]] = found["jobs"]
        return jobs


SITES = (
    "healthy",
    "stopped",
    "wrong",
    "hanging",
    "burning",
    "exhausted",
    ZEO_SITE,
    "grown",
    BACKED_UP,
    "panicking",
)
_PAGES = {"burning": ("boom",), "exhausted": ("leak", "plug"), "panicking": ("panic",)}


@dataclass
class Visitors:
    """Somebody who asks a site for the same page all the time while it is entered as a context."""

    site: ZopeInstance
    pause: float = 0.1
    _path: str = "/"
    _over: threading.Event = field(default_factory=threading.Event)

    def ask_for(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> "Visitors":
        self._thread = threading.Thread(target=self._visit, name="visitors")
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _visit(self) -> None:
        while not self._over.wait(self.pause):
            self.site.site.get(self._path)


@contextmanager
def fleet(environment: Environment, top: Path, authority: Path) -> Iterator[Fleet]:
    """Run all sites below `top`; `authority` gets the certificate by which to know one's TLS."""
    with ExitStack() as running:
        # What a thread has started ends with the thread.
        hands = running.enter_context(ThreadPoolExecutor(len(SITES)))
        zeo = running.enter_context(ZeoServer(environment, top / "zeo"))

        def run(name: str) -> ZopeInstance:
            storages = {ZEO_SITE: timed(zeo.client()), BACKED_UP: _WITH_BLOBS}
            storage = storages.get(name, "")
            zope = running.enter_context(ZopeInstance(environment, top / name, storage=storage))
            publish_pages(zope, _PAGES.get(name, ()))
            return zope

        zopes = dict(zip(SITES, hands.map(run, SITES), strict=True))
        zopes["wrong"].site.commit(["said"], "fine")
        secure = running.enter_context(front(authority))
        token = secrets.token_urlsafe(24)
        port = free_port()
        config = _write_config(top, zopes, zeo, secure, token, port)
        visitors = running.enter_context(Visitors(zopes["burning"]))
        yield Fleet(zopes, zeo, token, config, port, visitors, hands)


def _write_config(
    top: Path,
    zopes: dict[str, ZopeInstance],
    zeo: ZeoServer,
    secure: str,
    token: str,
    syslog_port: int,
) -> Path:
    token_file = top / "token"
    token_file.touch(0o600)
    token_file.write_text(f"{token}\n")
    sites = {name: _site(name, zope) for name, zope in zopes.items()}
    sites["wrong"]["ping"][0].update(url=f"{zopes['wrong'].site.url}/said", expect="fine")
    sites["healthy"]["ping"].append({"name": "secure", "url": secure, "timeout": "2s"})
    syslog = {"listen": f"udp:127.0.0.1:{syslog_port}"}
    sites["healthy"]["logs"] = {"syslog": syslog}
    sites[ZEO_SITE]["zeo"] = [{"conf": str(zeo.zeo_conf)}]
    sites[BACKED_UP]["backup"] = {"repository": str(top / "backup"), "max_age": "20s"}
    actions = {
        "token_file": str(token_file),
        "backup": {"cooldown": "1s"},
        "pack": {"days": 0},
        "on_alert": {"ZopeBackupOverdue": "backup"},
        "watchdog": {"url": "http://127.0.0.1:9/"},
    }
    config = top / "zope-exporter.yml"
    document = {"discover": False, "sites": list(sites.values()), "actions": actions}
    config.write_text(yaml.safe_dump(document))
    return config


def _site(name: str, zope: ZopeInstance) -> dict[str, Any]:
    files = {"zope_conf": str(zope.zope_conf), "wsgi_ini": str(zope.zope_ini)}
    ping = {"name": "home", "url": zope.site.url, "timeout": "2s"}
    return {"name": name, "instances": [files], "ping": [ping]}
