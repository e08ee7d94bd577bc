"""The views that the time of a site's requests goes to, as the status page says it."""

from collections.abc import Callable, Iterator, Mapping

from zope_exporter.clients.agent.views import OTHER, Sums
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
    order = sorted(views, key=lambda name: (name == OTHER, -views[name].seconds, name))
    for name in order[:SHOWN]:
        if name != OTHER:
            yield _row(name, views[name], total)
    rest = Sums()
    for index, name in enumerate(order):
        if index >= SHOWN or name == OTHER:
            rest = rest.plus(views[name])
    if rest.requests:
        yield _row(OTHER, rest, total)


def _row(name: str, sums: Sums, total: float) -> SlowView:
    requests = max(1, sums.requests)
    return SlowView(
        name,
        short(sums.seconds),
        f"{sums.seconds / total:.0%}",
        f"{sums.requests:.0f}",
        short(sums.seconds / requests),
        f"{sums.loads / requests:.0f}",
    )
