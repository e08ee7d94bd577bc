"""What the configuration says of logs, in the terms of those who follow and receive them."""

from collections.abc import Callable, Iterator

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.logs.syslog.message import Route, SyslogSettings
from zope_exporter.logs.tail.sources import ExtraLog, LogSource, RealPaths, log_sources

from .logs import SyslogRouteConfig
from .schema import Config


def known_logs(config: Config, inventory: Callable[[], Inventory]) -> Callable[[], list[LogSource]]:
    """Return what tells, at any time, which logs there are to follow."""
    extra, real = extra_logs(config), RealPaths()
    return lambda: log_sources(inventory(), extra, real)


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
