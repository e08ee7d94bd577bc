"""The agent as a filter in a WSGI pipeline, for those who want to see it there."""

from __future__ import absolute_import

import logging
import os

from Products.ZopeExporterAgent.forking import is_about_to_fork

log = logging.getLogger(__name__)


def filter_factory(_global_config, **_settings):
    """Counts requests where it stands in the pipeline, under any server."""
    return Filter


class Filter(object):
    """The application, its requests counted by the agent of whichever process it runs in."""

    def __init__(self, application):
        self._application = application
        self._pid = None
        self._counted = application
        self._activate()

    def __call__(self, environ, start_response):
        if self._pid != os.getpid():  # a server that forks workers has made this one
            self._activate()
        return self._counted(environ, start_response)

    def _activate(self):
        # Who has no agent yet, as it is going to fork, asks again at the first request.
        self._pid = None if is_about_to_fork() else os.getpid()
        try:
            from Products.ZopeExporterAgent.activation import activate

            agent = activate()
            self._counted = agent.counted(self._application) if agent else self._application
        except Exception:
            log.exception("The agent is not active, Zope goes on without it.")
