"""The waitress servers of this process: found where their loop runs, asked for their workers."""

from __future__ import absolute_import

import os
import sys

from Products.ZopeExporterAgent.wsgi import CountedApplication


class Waitress(object):
    """Listeners found so far; several share one pool of workers."""

    def __init__(self, requests):
        self._requests = requests
        self.listeners = []
        self.counts_requests = True

    def attach(self):
        """Count the requests of all listeners; return whether there are any."""
        if self.listeners:
            return True
        # Their loop keeps the dictionary of whatever it watches, and nothing else knows it.
        for innermost in sys._current_frames().values():
            frame = innermost
            while frame is not None:
                if _is_loop(frame.f_code):
                    self._attach(frame.f_locals.get("map"))
                frame = frame.f_back
        return bool(self.listeners)

    def _attach(self, watched):
        for listener in list((watched or {}).values()):
            if hasattr(listener, "task_dispatcher") and hasattr(listener, "active_channels"):
                listener.application = CountedApplication(listener.application, self._requests)
                self.listeners.append(listener)

    def status(self):
        """Threads and requests of the pool, connections of all listeners together."""
        first = self.listeners[0]
        pool = first.task_dispatcher
        return {
            "server": "waitress",
            "threads": len(pool.threads) - pool.stop_count,
            "busy": pool.active_count,
            "queue": len(pool.queue),
            "channels": sum(len(listener.active_channels) for listener in self.listeners),
            "connection_limit": first.adj.connection_limit,
        }


def _is_loop(code):
    return code.co_name == "loop" and os.path.basename(code.co_filename).startswith(
        ("wasyncore.", "asyncore.")
    )
