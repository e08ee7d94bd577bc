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
_agents = {}  # by process id: a forked child has none until it serves requests of its own


def activate():
    """The agent of this process, started if it was not."""
    with _lock:
        agent = _agents.get(os.getpid())
        if agent is None:
            agent = _agents[os.getpid()] = _start()
        return agent


def activate_at_start(_event):
    """The subscriber that agent.zcml registers."""
    try:
        activate()
    except Exception:
        log.exception("The agent is not active, Zope goes on without it.")


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
