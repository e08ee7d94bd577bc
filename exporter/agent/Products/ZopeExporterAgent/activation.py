"""One agent for each process, however many of its entry points are used."""

from __future__ import absolute_import

import logging
import os
import threading

from Products.ZopeExporterAgent.agent import Agent
from Products.ZopeExporterAgent.instance import find_config_files
from Products.ZopeExporterAgent.settings import read_settings

log = logging.getLogger(__name__)

_lock = threading.Lock()
_agents = {}  # by process id: a forked child has none of its own at first


def activate():
    """The agent of this process, started if it was not; None if it cannot be, logged once."""
    with _lock:
        pid = os.getpid()
        if pid not in _agents:
            _agents[pid] = _start_if_possible()
        return _agents[pid]


def activate_at_start(_event):
    """The subscriber that agent.zcml registers."""
    activate()


def _start_if_possible():
    try:
        return _start()
    except Exception:
        log.exception("The agent is not active, Zope goes on without it.")
        return None


def _start():
    from App.config import getConfiguration

    configuration = getConfiguration()
    settings = read_settings(getattr(configuration, "product_config", None))
    for problem in settings.problems:
        log.warning("zope-exporter: %s", problem)
    agent = Agent(configuration, settings, find_config_files())
    agent.start()
    log.info("Telling zope-exporter at %s", agent.path)
    return agent
