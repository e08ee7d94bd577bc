"""What the configuration says of logs, in the terms of those who follow and receive them."""

import threading
import time
from collections.abc import Callable, Iterator

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.logs.syslog.message import Route, SyslogSettings
from zope_exporter.logs.tail.sources import ExtraLog, LogSource, RealPaths, log_sources

from .logs import SyslogRouteConfig
from .schema import Config

KEPT_SECONDS = 5.0


class KnownLogs:
    """Tells, at any time, which logs there are to follow.

    They are put together once for each inventory, as all sites of a host ask for them at each
    scrape, and anew after some seconds: where a path leads may change.
    """

    def __init__(
        self,
        config: Config,
        inventory: Callable[[], Inventory],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._extra = extra_logs(config)
        self._real = RealPaths()
        self._inventory = inventory
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[Inventory, float, list[LogSource]] | None = None

    def __call__(self) -> list[LogSource]:
        """Return them: the same list as before, if they are those that were known before."""
        inventory = self._inventory()
        with self._lock:
            known = self._known
            if known and known[0] is inventory and self._clock() - known[1] < KEPT_SECONDS:
                return known[2]
            found = log_sources(inventory, self._extra, self._real)
            self._known = inventory, self._clock(), found
            return found


def log_patterns(config: Config) -> dict[str, dict[str, str]]:
    """Return what to count in the event logs beside the built-in patterns, by site and name."""
    return {site.name: site.logs.patterns for site in config.sites}


def extra_logs(config: Config) -> list[ExtraLog]:
    """Return the logs that the configuration adds to those which are found."""
    found = []
    for site in config.sites:
        found += [ExtraLog(site.name, log.path, "access", log.format) for log in site.logs.access]
        found += [ExtraLog(site.name, log.path, "event", log.format) for log in site.logs.event]
    return found


def syslog_settings(config: Config) -> Iterator[tuple[str, SyslogSettings]]:
    """Yield the sites that receive syslog messages, and how."""
    for site in config.sites:
        syslog = site.logs.syslog
        if syslog is not None:
            routes = _route(syslog.access), _route(syslog.event)
            mode = int(syslog.socket_mode, 8)
            yield site.name, SyslogSettings(syslog.listen, *routes, mode)


def _route(route: SyslogRouteConfig) -> Route:
    return Route(route.facility, route.tag)
