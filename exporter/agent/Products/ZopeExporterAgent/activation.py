"""One agent for each process, however many of its entry points are used."""

from __future__ import absolute_import

import logging
import os
import threading

from Products.ZopeExporterAgent.agent import Agent
from Products.ZopeExporterAgent.forking import is_about_to_fork
from Products.ZopeExporterAgent.instance import find_config_files
from Products.ZopeExporterAgent.settings import read_settings

log = logging.getLogger(__name__)

_lock = threading.Lock()
_agents = {}  # by process id: a forked child has none of its own at first
_told = []  # once, by whoever starts Zope: the files it is configured by


def activate():
    """The agent of this process, started if it was not.

    None if it cannot be, logged once, or as long as the process is about to fork.
    """
    with _lock:
        _prepare_workers()
        pid = os.getpid()
        if pid not in _agents and not is_about_to_fork():
            _agents[pid] = _start_if_possible()
        return _agents.get(pid)


def activate_at_start(_event):
    """The subscriber that agent.zcml registers."""
    activate()


def activate_at_request(_event):
    """Have a worker that was forked by its server make an agent of its own, at its first request.

    Not as soon as it is forked: a child that only runs a program is forked the same way.
    """
    if os.getpid() not in _agents:
        activate()


def _prepare_workers():
    """Have those that this process may fork know what only it is told, and begin by themselves."""
    if _told:
        return
    _told.append([])
    try:
        _told[0] = find_config_files()
        from zope.component import provideHandler
        from ZPublisher.interfaces import IPubStart

        provideHandler(activate_at_request, (IPubStart,))
    except Exception:
        log.exception("Workers that this process forks will have no agent, Zope goes on.")


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
    agent = Agent(configuration, settings, _told[0])
    agent.start()
    log.info("Telling zope-exporter at %s", agent.path)
    return agent
