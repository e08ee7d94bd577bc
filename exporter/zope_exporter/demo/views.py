"""Pages of the made-up site, run by Zope: one that is slow, one that fails, one that writes."""

import logging
import threading
from typing import Any

log = logging.getLogger("intranet")


class Page:
    """A page at the site's root; `context` is Zope's application object."""

    def __init__(self, context: Any, request: Any) -> None:
        self.context = context
        self.request = request


class Report(Page):
    """Takes its time, as a page does that asks a slow database."""

    def __call__(self) -> str:
        _wait(1.5)
        return "All quiet.\n"


class Stock(Page):
    """Fails in a way nobody handles."""

    def __call__(self) -> str:
        log.error("Stock: the warehouse does not answer")
        raise ConnectionError("the warehouse does not answer")


class Vote(Page):
    """Counts in one object, so that two votes at a time conflict."""

    def __call__(self) -> str:
        votes: int = getattr(self.context, "votes", 0) + 1
        _wait(0.1)
        self.context.votes = votes
        if votes % 10 == 0:
            log.warning("Vote: %d votes and nobody reads them", votes)
        return f"{votes}\n"


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
