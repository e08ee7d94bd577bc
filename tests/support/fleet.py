"""Sites of real Zopes, each to be broken in a way of its own, and one to be left alone."""

import os
import secrets
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import trustme
import yaml

from tests.support.environments import Environment
from tests.support.instances import ZopeInstance
from tests.support.mails import Mail, notice, page
from tests.support.processes import eventually
from tests.support.server import free_port
from tests.support.zeo import ZeoServer
from tests.support.zope_pages import publish_pages

POOL_SIZE = 7  # Zope's default
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


@dataclass(frozen=True)
class Fault:
    """How a site is broken and repaired, and which mails that is worth.

    Without `repair` it is over by itself, or the exporter repairs it.
    """

    site: str
    mails: tuple[Mail, ...]
    breaks: Callable[[Fleet], object]
    repair: Callable[[Fleet], object] | None = None


def _edit_ping(fleet: Fleet, text: str) -> None:
    form = {"title": "", "data": text}
    answer = fleet.zopes["wrong"].site.post("/said/manage_edit", form)
    assert answer.is_success, answer.text


def _leak(fleet: Fleet) -> None:
    for _ in range(POOL_SIZE + 1):
        assert fleet.get("exhausted", "/leak") == httpx.codes.OK


def _plug(fleet: Fleet) -> None:
    for _ in range(POOL_SIZE + 1):
        assert fleet.get("exhausted", "/plug") == httpx.codes.OK


def _grow(fleet: Fleet) -> None:
    names = [f"upload{number}" for number in range(5)]
    fleet.zopes["grown"].site.commit(names, "x" * 500_000)


FAULTS = (
    Fault(
        "stopped",
        (page("stopped", "ZopeSiteDown"),),
        lambda fleet: fleet.zopes["stopped"].stop(),
        lambda fleet: fleet.zopes["stopped"].start(),
    ),
    Fault(
        "wrong",
        (page("wrong", "ZopePingWrongContent"),),
        lambda fleet: _edit_ping(fleet, "Proxy Error"),
        lambda fleet: _edit_ping(fleet, "fine"),
    ),
    Fault(
        "hanging",
        (page("hanging", "ZopeSiteDown"),),
        lambda fleet: os.kill(fleet.zopes["hanging"].pid, signal.SIGSTOP),
        lambda fleet: os.kill(fleet.zopes["hanging"].pid, signal.SIGCONT),
    ),
    Fault(
        "burning",
        (page("burning", "ZopeErrorBudgetBurn"),),
        lambda fleet: fleet.visitors.ask_for("/boom"),
        lambda fleet: fleet.visitors.ask_for("/"),
    ),
    Fault(
        "exhausted",
        # One says what it leads to, the other where it comes from.
        (notice("exhausted", "ZopePoolExhausted"), notice("exhausted", "ZopeConnectionsLeaked")),
        _leak,
        _plug,
    ),
    Fault(
        ZEO_SITE,
        (page(ZEO_SITE, "ZopeZeoServerDown"),),
        lambda fleet: fleet.zeo.stop(),
        lambda fleet: fleet.zeo.start(),
    ),
    Fault("grown", (notice("grown", "ZopeStorageGrowthHigh"),), _grow),
    Fault(
        BACKED_UP,
        (page(BACKED_UP, "ZopeBackupOverdue"),),
        lambda fleet: fleet.zopes[BACKED_UP].site.commit(["unsaved"]),
    ),
    Fault(
        "panicking",
        (page("panicking", "ZopeLogCritical"),),
        lambda fleet: fleet.get("panicking", "/panic"),
    ),
)
SITES = ("healthy", *(fault.site for fault in FAULTS))
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
            storages = {ZEO_SITE: zeo.client(), BACKED_UP: _WITH_BLOBS}
            storage = storages.get(name, "")
            zope = running.enter_context(ZopeInstance(environment, top / name, storage=storage))
            publish_pages(zope, _PAGES.get(name, ()))
            return zope

        zopes = dict(zip(SITES, hands.map(run, SITES), strict=True))
        zopes["wrong"].site.commit(["said"], "fine")
        secure = running.enter_context(_front(authority))
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
    sites[BACKED_UP]["backup"] = {"repository": str(top / "backup"), "max_age": "3s"}
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


class _Front(SimpleHTTPRequestHandler):
    """Something with TLS that answers, as web servers in front of Zope do."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _front(authority: Path) -> Iterator[str]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Front)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="front")
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
