"""ZEO servers, and their clients' connections to them."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import COUNT, PER_SECOND, SECONDS, UP, rising
from .panels import Panel, Query, events, series, series_of, states, states_of
from .queries import SITE, Metrics

_NAMED = "{{instance}} {{site}} {{server}} {{storage}}"


def zeo(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of ZEO."""
    return Dashboard(
        "zeo",
        "ZEO",
        "ZEO servers and their clients: who is connected, who waits, what goes over the wire.",
        (
            Row("Up and connected", _connected(m)),
            Row("Commits", _commits(m, limits)),
            Row("Traffic", _traffic(m)),
        ),
        variables=("site", "zope", "database"),
    )


def _connected(m: Metrics) -> tuple[Panel, ...]:
    reconnected = m.increase("zope_zeo_client_connections_total")
    return (
        states(
            "Servers",
            m.help("zope_zeo_up"),
            Query(
                f"min by ({SITE}, server) ({m('zope_zeo_up')})", "{{instance}} {{site}} {{server}}"
            ),
            UP,
            width=12,
            runbooks=("ZopeZeoServerDown",),
        ),
        states_of(
            m,
            "zope_zeo_client_connected",
            "Clients",
            "{{instance}} {{site}} {{zope}} {{database}}",
            UP,
            width=12,
            runbooks=("ZopeZeoClientDisconnected",),
        ),
        series_of(
            m,
            "zope_zeo_clients",
            "Clients of each storage",
            _NAMED,
            COUNT,
            width=12,
            runbooks=("ZopeZeoClientsMissing",),
        ),
        events(
            "Connections made",
            m.help("zope_zeo_client_connections_total"),
            [Query(f"{reconnected} > 0", "{{instance}} {{site}} {{zope}} {{database}}")],
            width=12,
        ),
    )


def _commits(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    locked = m.lasts("zope_zeo_lock_acquired_timestamp_seconds")
    return (
        series(
            "Commits and aborts",
            "Transactions a second.",
            [
                Query(m.rate("zope_zeo_commits_total"), f"{_NAMED} commits"),
                Query(m.rate("zope_zeo_aborts_total"), f"{_NAMED} aborts"),
            ],
            PER_SECOND,
        ),
        series(
            "Waiting for the commit lock",
            m.help("zope_zeo_waiting_commits"),
            [
                Query(m("zope_zeo_waiting_commits"), f"{_NAMED} waiting"),
                Query(m("zope_zeo_active_transactions"), f"{_NAMED} active"),
            ],
            COUNT,
            runbooks=("ZopeZeoCommitsWaiting",),
        ),
        series(
            "Commit lock held for",
            m.help("zope_zeo_lock_acquired_timestamp_seconds"),
            [Query(locked, _NAMED)],
            rising("s", limits.commit_lock_held),
        ),
    )


def _traffic(m: Metrics) -> tuple[Panel, ...]:
    conflicts = m.rate("zope_zeo_conflicts_total")
    resolved = m.rate("zope_zeo_conflicts_resolved_total")
    last = m.lasts("zope_zeo_last_transaction_timestamp_seconds")
    return (
        series(
            "Loads and stores",
            "Objects a second that go from and to the server.",
            [
                Query(m.rate("zope_zeo_loads_total"), f"{_NAMED} loads"),
                Query(m.rate("zope_zeo_stores_total"), f"{_NAMED} stores"),
            ],
            PER_SECOND,
            width=12,
        ),
        series(
            "Conflicts",
            m.help("zope_zeo_conflicts_total"),
            [Query(conflicts, f"{_NAMED} conflicts"), Query(resolved, f"{_NAMED} resolved")],
            PER_SECOND,
            width=12,
        ),
        series(
            "Since the last transaction",
            m.help("zope_zeo_last_transaction_timestamp_seconds"),
            [Query(last, _NAMED)],
            SECONDS,
            width=24,
        ),
    )
