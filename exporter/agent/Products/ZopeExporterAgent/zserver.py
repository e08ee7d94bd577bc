"""ZServer, the web server of Zope 2: its pool of workers, and what its clients are answered."""

from __future__ import absolute_import

import logging
import sys
import threading

log = logging.getLogger(__name__)

_ident = getattr(threading, "get_ident", None) or __import__("thread").get_ident


class ZServer(object):
    """One for the process. Counts from the start, as the pool is made for the first request."""

    def __init__(self, requests):
        self._requests = requests
        self._current = {}  # by thread: a request and what shows how it was answered
        self._pool = None
        self._pub_core = None
        self.counts_requests = False

    def attach(self):
        """Count the requests of its workers; return whether this process has a ZServer."""
        if self._pub_core is None:
            self._pub_core = sys.modules.get("ZServer.PubCore")
            if self._pub_core is not None:
                self._replace_pool()
        return self._pub_core is not None

    def _replace_pool(self):
        handle = self._pub_core._handle
        if handle is None:
            self.counts_requests = True
            self._pub_core._handle = self._handle_first
        else:  # too late: its threads are in there for ever
            self._pool = getattr(handle, "__self__", None)

    def _handle_first(self, *job):
        """Make the pool at its time, which is when the number of threads is known."""
        if self._pool is None:
            self._pool = _counted_pool(self._pub_core._n, self)
        self._pub_core._handle = self._pool.handle
        return self._pool.handle(*job)

    def begin(self, job):
        """A worker has taken up a job of the queue, and shall do it whatever happens here."""
        try:
            self._begin(*job)
        except Exception:
            log.debug("A request was not counted", exc_info=True)

    def _begin(self, _module, request, response):
        environ = request if isinstance(request, dict) else getattr(request, "environ", {})
        pipe = getattr(response, "stdout", None) or getattr(response, "__self__", None)
        begun = self._requests.begin(environ)
        if begun is not None:
            self._current[_ident()] = begun, pipe, getattr(pipe, "_request", None)

    def end(self):
        """A worker is done with what it had, if it had something."""
        begun, pipe, answered = self._current.pop(_ident(), (None, None, None))
        if begun is None:
            return
        try:
            # The pipe lets go of the request when the answer is complete, else nothing was.
            if answered is not None and pipe._request is None:
                begun.status = str(answered.reply_code)
        except Exception:
            log.debug("How a request was answered is not known", exc_info=True)
        self._requests.published(begun)
        self._requests.end(begun)

    def status(self):
        """Threads and requests of the pool, connections of all its HTTP servers."""
        from asyncore import socket_map

        import ZServer
        from ZServer.medusa.http_server import http_channel

        if self._pool is None:
            idle, queued, busy = self._pub_core._n, 0, 0
        else:
            working, waiting, ready = self._pool._lists
            busy, queued, idle = len(working), len(waiting), len(ready)
        return {
            "server": "ZServer",
            "threads": busy + idle,
            "busy": busy,
            "queue": queued,
            "channels": sum(isinstance(it, http_channel) for it in list(socket_map.values())),
            "connection_limit": ZServer.CONNECTION_LIMIT,
        }


def _counted_pool(threads, server):
    from ZServer.PubCore.ZRendezvous import ZRendevous

    class CountedPool(ZRendevous):
        def accept(self):
            """Called by each worker for its next job, so that its last one has ended."""
            server.end()
            job = ZRendevous.accept(self)
            server.begin(job)
            return job

    return CountedPool(threads)
