"""Packing in the Zope process, by its agent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from zope_exporter.clients.agent.answer import AgentError
from zope_exporter.clients.agent.client import AgentClient, Pack
from zope_exporter.discovery.inventory import Process
from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report

from .alive import runs
from .stuck_pack_hint import explained
from .target import STAGE, LostError, Running

# A busy Zope lets its agent wait for Python's lock.
PATIENCE_SECONDS = 60.0


class AgentEngine:
    """Packs a database that a Zope has open itself, in a thread of that Zope."""

    name = "the agent in Zope"

    def __init__(self, client: AgentClient, database: str, process: Process) -> None:
        self._client = client
        self._database = database
        self._process = process

    def check(self) -> None:
        """Raise RefusedError `busy` if the database is being packed, by whomever."""
        try:
            status = self._client.status()
        except AgentError as error:
            raise RefusedError("agent", str(error), "is that Zope running?") from error
        if status.flag("databases", self._database, "pack_running"):
            raise RefusedError("busy", f"Zope is packing {self._database} already")

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; it goes on in Zope whatever becomes of us."""
        try:
            number = self._client.start_pack(self._database, days)
        except AgentError as error:
            raise ActionError(STAGE, explained(str(error))) from error
        report.say(f"Zope has begun pack {number} of {self._database}")
        yield _InZope(self._client, self._database, self._process, number)


class _InZope:
    beyond_us = "the pack goes on in Zope, which cannot be told to stop it"

    def __init__(self, client: AgentClient, database: str, process: Process, number: int) -> None:
        self._client = client
        self._database = database
        self._process = process
        self._number = number
        self._silent_since: float | None = None

    def ended(self, seconds: float) -> bool:
        threading.Event().wait(seconds)
        pack = self._look()
        if pack is None or pack.running:
            return False
        if pack.error is not None:
            raise ActionError(STAGE, explained(f"Zope says: {pack.error}"))
        return True

    def _look(self) -> Pack | None:
        try:
            pack = self._client.packs().get(self._database)
        except AgentError as error:
            if not runs(self._process):
                raise LostError("Zope has ended") from error
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > PATIENCE_SECONDS:
                raise LostError(f"the agent is silent: {error}") from error
            return None
        self._silent_since = None
        if pack is None or pack.id != self._number:
            raise LostError("Zope was restarted, or knows nothing of the pack any longer")
        return pack
