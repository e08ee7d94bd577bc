"""Visitors of the demo's Zope: a low, steady rate of requests, good and bad ones."""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle

import httpx

from .instance import USER, Instance


@dataclass(frozen=True)
class Visit:
    """A request; with `form` it is a POST, `manager` logs in."""

    path: str
    form: dict[str, str] | None = None
    manager: bool = False


@dataclass(frozen=True)
class Visitor:
    """Somebody making the same visits over and over, with a pause (seconds) after each."""

    pause: float
    visits: tuple[Visit, ...]


MINUTES = "/news/day-29/item-3"
READER = Visitor(0.3, (Visit("/"), Visit(MINUTES), Visit("/"), Visit("/news/day-28/scan")))
# Out of step with each other, so that their transactions meet now and then.
VOTERS = Visitor(1.3, (Visit("/vote", form={}),)), Visitor(0.9, (Visit("/vote", form={}),))
EDITOR = Visitor(
    1.0,
    (
        Visit("/manage_main", manager=True),
        Visit("/news/manage_main", manager=True),
        Visit(f"{MINUTES}/manage_edit", {"data": "<p>Minutes</p>", "title": ""}, manager=True),
        Visit("/manage_UndoForm", manager=True),
    ),
)
TROUBLE = Visitor(
    2.0, (Visit("/missing"), Visit("/manage_main"), Visit("/stock"), Visit("/report"))
)
WELCOME = (READER, *VOTERS, EDITOR)
VISITORS = (*WELCOME, TROUBLE)


class Traffic:
    """Makes requests from `start` to `stop`; `answers` counts the status codes that came back."""

    def __init__(self, instance: Instance, visitors: tuple[Visitor, ...] = VISITORS) -> None:
        self.answers: Counter[int] = Counter()
        self.answered = threading.Condition()
        self._instance = instance
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(visitor,), name="visitor", daemon=True)
            for visitor in visitors
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the visitors go; one whose request still runs is waited for, up to its timeout."""
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _visit(self, visitor: Visitor) -> None:
        with httpx.Client(base_url=self._instance.url, trust_env=False, timeout=10) as client:
            for visit in cycle(visitor.visits):
                with suppress(httpx.HTTPError):  # silence is for the exporter to show
                    self._count(self._answer(client, visit))
                if self._stopping.wait(visitor.pause):
                    return

    def _answer(self, client: httpx.Client, visit: Visit) -> int:
        return client.request(
            "GET" if visit.form is None else "POST",
            visit.path,
            data=visit.form,
            auth=(USER, self._instance.password) if visit.manager else None,
        ).status_code

    def _count(self, status: int) -> None:
        with self.answered:
            self.answers[status] += 1
            self.answered.notify_all()
