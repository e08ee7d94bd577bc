"""One probe of the ZMI of a Zope, and what came of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.discovery.inventory import Process, Service, ZmiLogin

from .pages import Caches, Page, Panel, ZmiError, read_caches, read_panel

TIMEOUT = 3.0

# Of others the page might run a query in SQL over all objects to tell their number.
_CHEAP = frozenset({"filestorage", "zeo", "temporary"})


@dataclass(frozen=True)
class ZmiTarget:
    """A Zope whose ZMI is to be probed."""

    login: ZmiLogin
    databases: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class ZmiResult:
    """What a probe found out; what it could not is None or missing, and the `problem` says why."""

    panel: Panel | None = None
    caches: Mapping[str, Caches] = field(default_factory=dict)
    problem: str = ""


def zmi_target(service: Service) -> ZmiTarget | None:
    """Return what to probe of a service, None where no login is given."""
    if service.zmi is None:
        return None
    names = tuple(each.name for each in service.databases if each.kind in _CHEAP)
    return ZmiTarget(service.zmi, names, service.processes)


class ZmiProber:
    """Probes Zopes, each within `timeout` seconds for all its pages together."""

    def __init__(self, timeout: float = TIMEOUT, proc: Path = Path("/proc")) -> None:
        self._timeout = timeout
        self._proc = proc
        self._resolver = Resolver()

    def probe(self, zope: ZmiTarget) -> ZmiResult:
        """Whatever happens is the result."""
        from .client import ZmiClient  # with httpx, where a login is given

        deadline = time.monotonic() + self._timeout
        client = ZmiClient(zope.login, self._resolver)
        panel: Panel | None = None
        caches: dict[str, Caches] = {}
        try:
            shown = read_panel(client.get(Page.PANEL, deadline=deadline))
            self._check(shown, zope)
            panel = shown
            page = Page.CACHE_PARAMETERS if panel.is_zope2 else Page.DATABASE
            for name in zope.databases:
                caches[name] = read_caches(client.get(page, name, deadline=deadline))
        except ZmiError as error:
            return ZmiResult(panel, caches, str(error))
        return ZmiResult(panel, caches)

    def _check(self, panel: Panel, zope: ZmiTarget) -> None:
        # The address may lead to a load balancer, or to another Zope.
        numbers = set[int]().union(*map(self._numbers, zope.processes))
        if numbers and panel.pid not in numbers:
            raise ZmiError(
                f"the ZMI at {zope.login.url} is that of process {panel.pid}, not of"
                f" {zope.processes[0].pid}: correct the url"
            )

    def _numbers(self, process: Process) -> set[int]:
        """The numbers of a process, which in a container has one of its own."""
        numbers = {process.pid}
        try:
            for line in (self._proc / str(process.pid) / "status").read_text().splitlines():
                key, _, value = line.partition(":")
                if key == "NSpid":
                    numbers.update(map(int, value.split()))
        except (OSError, ValueError):  # it has just ended
            pass
        return numbers
