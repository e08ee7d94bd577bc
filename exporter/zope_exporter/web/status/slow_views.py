"""The views that the time of a site's requests goes to, as the status page says it."""

from collections.abc import Callable, Iterator, Mapping

from zope_exporter.clients.agent.views import OTHER, Sums, ranked
from zope_exporter.system.humanize import short

from .view import SlowView

SHOWN = 10

ViewsOf = Callable[[str], Mapping[str, Sums]]
"""What was asked for of a site in the last hour; nothing where no agent tells."""


def slow_views(views: Mapping[str, Sums]) -> Iterator[SlowView]:
    """Yield the views with the most time first, and all others as one."""
    total = sum(sums.seconds for sums in views.values())
    if not total:
        return
    for name, sums in ranked(views, SHOWN).items():
        if name != OTHER or sums.requests:
            yield _row(name, sums, total)


def _row(name: str, sums: Sums, total: float) -> SlowView:
    requests = max(1, sums.requests)
    return SlowView(
        name,
        short(sums.seconds),
        f"{sums.seconds / total:.0%}",
        f"{sums.requests:.0f}",
        short(sums.seconds / requests),
        f"{sums.loads / requests:.0f}",
        "" if sums.load_seconds is None else short(sums.load_seconds / requests),
    )
