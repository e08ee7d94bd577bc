"""Packing in the Zope that has the database open: by its agent, else by its Control Panel.

The agent packs in a thread of its own. The button of the Control Panel takes a Manager's login, and
one of Zope's worker threads until the end.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from zope_exporter.clients.agent.answer import AgentError, UnansweredError
from zope_exporter.clients.agent.client import AgentClient, Pack
from zope_exporter.clients.zmi.client import ZmiClient
from zope_exporter.clients.zmi.pages import Page, ZmiError
from zope_exporter.discovery.inventory import Process, ZmiLogin
from zope_exporter.maintenance.jobs.report import RefusedError, Report

from .target import STAGE, LostError, Running, StillRunningError, pack_failed
from .usage import runs

# A busy Zope lets its agent wait for Python's lock.
AGENT_PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 10.0
# The answer comes when all is packed. Whether that goes on is seen by others than who waits for it.
LONGEST_SECONDS = 30 * 86400.0
REDIRECT = 302
MEANINGS = {
    401: "the ZMI refuses the login: check username and password_file under zmi:",
    403: "the ZMI refuses the login: its user has to be a Manager",
    404: "the ZMI has no such database, or is not at the url given under zmi:",
}
# What a proxy in front says when it does not wait any longer for Zope.
IMPATIENT = (502, 503, 504)
BEYOND_US = "the pack continues in Zope and cannot be stopped"


class AgentEngine:
    """Packs a database that a Zope has open itself, in a thread of that Zope."""

    name = "the agent in Zope"
    meanwhile = (
        "requests go on, somewhat slower: the pack is a thread of this Zope that pauses for them;"
        " it cannot be stopped, and ends if Zope does"
    )

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
        except UnansweredError as error:
            reason = f"{error}; whether Zope has begun the pack is unknown"
            remedy = "look into its event log before you begin another"
            raise StillRunningError(STAGE, reason, remedy) from error
        except AgentError as error:
            raise pack_failed(str(error)) from error
        report.say(f"Zope has started pack {number} of {self._database}")
        yield _InZope(self._client, self._database, self._process, number)


class _InZope:
    beyond_us = BEYOND_US

    def __init__(self, client: AgentClient, database: str, process: Process, number: int) -> None:
        self._client = client
        self._database = database
        self._process = process
        self._number = number
        self._silent_since: float | None = None

    def seen(self) -> None:
        """Return nothing: the agent tells that a pack runs, also of one that hangs."""

    def ended(self, seconds: float) -> bool:
        threading.Event().wait(seconds)
        pack = self._look()
        if pack is None or pack.running:
            return False
        if pack.error is not None:
            raise pack_failed(f"Zope says: {pack.error}")
        return True

    def _look(self) -> Pack | None:
        try:
            pack = self._client.packs().get(self._database)
        except AgentError as error:
            if not runs(self._process):
                raise LostError("Zope has ended") from error
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > AGENT_PATIENCE_SECONDS:
                raise LostError(f"the agent is silent: {error}") from error
            return None
        self._silent_since = None
        if pack is None or pack.id != self._number:
            raise LostError("Zope was restarted, or knows nothing of the pack any longer")
        return pack


class ZmiEngine:
    """Packs a database of a Zope; one of its worker threads is busy with it meanwhile."""

    name = "the ZMI"
    meanwhile = (
        "one worker thread of Zope is busy with the pack until its end, and requests on the others"
        " are slower; it cannot be stopped, and ends if Zope does"
    )

    def __init__(self, login: ZmiLogin, database: str, longest: float = LONGEST_SECONDS) -> None:
        self._login = login
        self._database = database
        self._longest = longest

    def check(self) -> None:
        """Raise RefusedError `zmi` unless the login opens the Control Panel."""
        try:
            client = ZmiClient(self._login)
            client.get(Page.PANEL, deadline=time.monotonic() + ANSWER_SECONDS)
        except ZmiError as error:
            raise RefusedError("zmi", str(error)) from error

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; it goes on in Zope whatever becomes of us."""
        report.say("one worker thread of Zope is busy with the pack until its end")
        yield _Asked(self._login, self._database, days, self._longest)


class _Asked:
    beyond_us = BEYOND_US

    def __init__(self, login: ZmiLogin, database: str, days: float, longest: float) -> None:
        self._status: int | None = None
        self._problem: str | None = None
        path = f"Control_Panel/Database/{quote(database, safe='')}/manage_pack"
        question = ZmiClient(login), path, f"days:float={days!r}".encode(), longest
        # A daemon: we do not wait for Zope when we end.
        self._thread = threading.Thread(target=self._ask, args=question, daemon=True)
        self._thread.start()

    def seen(self) -> None:
        """Return nothing: there is no answer before the end."""

    def ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        if self._problem is not None or self._status in IMPATIENT:
            raise LostError(self._problem or f"status {self._status} in place of an answer")
        if self._status != REDIRECT:
            told = MEANINGS.get(self._status or 0, f"the ZMI answers with status {self._status}")
            already = ": already packing, or its event log says why" if self._status == 500 else ""
            raise pack_failed(told + already)
        return True

    def _ask(self, client: ZmiClient, path: str, form: bytes, longest: float) -> None:
        try:
            deadline = time.monotonic() + longest
            self._status, _ = client.ask("POST", path, form, deadline=deadline)
        except ZmiError as error:
            self._problem = str(error)
        except Exception as error:  # whoever waits is to hear of it; its text may quote the login
            self._problem = f"asking has failed ({type(error).__name__})"
