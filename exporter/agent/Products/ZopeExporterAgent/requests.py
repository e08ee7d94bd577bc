"""The requests of this process: those in progress, and counts of those answered."""

from __future__ import absolute_import

import bisect
import threading
import time

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
MOST_EXCEPTIONS = 30  # classes counted by name, the later ones are "other"
_monotonic = getattr(time, "monotonic", time.time)
_ident = getattr(threading, "get_ident", None) or __import__("thread").get_ident


class RequestInProgress(object):
    """One request, from the moment a worker has it to the end of its answer."""

    __slots__ = ("began", "environ", "exception", "start", "status", "thread_id")

    def __init__(self, environ, began):
        self.environ = environ
        self.thread_id = _ident()
        self.start = time.time()
        self.began = began
        self.status = None  # the three digits, once they are known
        self.exception = None  # name of the class


class Requests(object):
    """Counts what servers tell of; any thread may ask."""

    def __init__(self, clock=_monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._in_progress = {}  # by identity
        self._handled = {}  # by thread: the one whose code runs there
        self._responses = {}
        self._exceptions = {}
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def renew_locks(self):
        """In a forked child, where no thread is left that would release them."""
        self._lock = threading.Lock()

    def begin(self, environ):
        """A worker's thread takes up a request; None if it already counts as one in progress."""
        request = RequestInProgress(environ, self._clock())
        if self._handled.setdefault(request.thread_id, request) is not request:
            return None
        self._in_progress[id(request)] = request
        return request

    def handled(self, request):
        """The code for it has run; its answer may go on."""
        self._handled.pop(request.thread_id, None)

    def end(self, request):
        """Its answer has been given; further calls change nothing."""
        if self._in_progress.pop(id(request), None) is None:
            return
        seconds = max(0.0, self._clock() - request.began)
        place = bisect.bisect_left(BOUNDS, seconds)
        with self._lock:
            self._counts[place] += 1
            self._seconds += seconds
            if request.status is not None:
                self._responses[request.status] = self._responses.get(request.status, 0) + 1
            if request.exception is not None:
                self._count_exception(request.exception)

    def _count_exception(self, name):
        counts = self._exceptions
        if name not in counts and len(counts) >= MOST_EXCEPTIONS:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def failed(self, exception):
        """Publishing has failed for good in this thread, though the answer may be a fine page."""
        request = self._handled.get(_ident())
        if request is not None:
            request.exception = exception.__name__

    def in_progress(self):
        """The requests in progress, the oldest first."""
        return sorted(self._in_progress.copy().values(), key=lambda request: request.start)

    def status(self, threshold, now):
        """What /v1/status says; requests older than `threshold` seconds are long."""
        in_progress = self.in_progress()
        with self._lock:
            return {
                "in_progress": len(in_progress),
                "oldest_start": in_progress[0].start if in_progress else None,
                "responses": dict(self._responses),
                "exceptions": dict(self._exceptions),
                "duration": {
                    "bounds": list(BOUNDS),
                    "counts": list(self._counts),
                    "sum": self._seconds,
                },
                "long": {
                    "threshold_seconds": threshold,
                    "count": sum(now - request.start > threshold for request in in_progress),
                },
            }
