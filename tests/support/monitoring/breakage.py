"""Each way to break a site, and which mails that is worth."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.support.monitoring.mails import Mail, notice, page
from tests.support.zopes.fleet import BACKED_UP, ZEO_SITE, Fleet

POOL_SIZE = 7  # Zope's default


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
