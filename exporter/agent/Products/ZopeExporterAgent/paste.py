"""The agent as a filter in a WSGI pipeline, for those who want to see it there."""

from __future__ import absolute_import

import logging

log = logging.getLogger(__name__)


def filter_factory(_global_config, **_settings):
    """Counts requests where it stands in the pipeline, under any server."""

    def counted(application):
        try:
            from Products.ZopeExporterAgent.activation import activate

            return activate().counted(application)
        except Exception:
            log.exception("The agent is not active, Zope goes on without it.")
            return application

    return counted
