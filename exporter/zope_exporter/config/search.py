"""Searching this host as the configuration has it: once, or again and again."""

from zope_exporter.discovery.inventory import Inventory
from zope_exporter.discovery.memory import open_memory
from zope_exporter.discovery.survey import Survey
from zope_exporter.discovery.watcher import Watcher

from .declaring import declared_site
from .schema import Config


def search(config: Config, timeout: float) -> Inventory:
    """Search this host once.

    Raises TimeoutError or SearchError if that does not end well within `timeout` seconds.
    """
    watcher = watch(config)
    try:
        return searched(watcher, timeout)
    finally:
        watcher.stop()


def searched(watcher: Watcher, timeout: float) -> Inventory:
    """Return what one more search finds; raises as `search` does, with what keeps it."""
    try:
        return watcher.rescan(timeout)
    except TimeoutError:
        watcher.check(longest=0)  # says what keeps it
        raise


def watch(config: Config) -> Watcher:
    """Begin to search this host in the background."""
    declared = [declared_site(site) for site in config.sites]
    survey = Survey(open_memory(config.state_dir), declared, config.discover)
    return Watcher(survey, looking=survey.looking)
