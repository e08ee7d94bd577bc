"""The requests of this process: those in progress, and counts of those answered."""

from __future__ import absolute_import

import bisect
import collections
import threading
import time

from Products.ZopeExporterAgent.load_times import spent
from Products.ZopeExporterAgent.view_sums import ViewSums

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
# As in the access log. A client may send any word, which is "other" then.
METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
    + ["PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"]
)
MOST_EXCEPTIONS = 30  # classes counted by name, the later ones are "other"
_monotonic = getattr(time, "monotonic", time.time)
_ident = getattr(threading, "get_ident", None) or __import__("thread").get_ident


class RequestInProgress(object):
    """One request, from the moment a worker has it to the end of its answer."""

    __slots__ = ("began", "environ", "exception", "method", "start", "status", "thread_id")
    __slots__ += ("conflicts", "load_seconds", "loads", "view")

    def __init__(self, environ, thread_id, began):
        self.environ = environ
        self.method = environ.get("REQUEST_METHOD")  # now: it may be changed on the way
        self.thread_id = thread_id
        self.start = time.time()
        self.began = began
        self.status = None  # the three digits, once they are known
        self.exception = None  # name of the class
        self.view = None  # what is published, once that is known
        self.loads = 0
        self.load_seconds = -spent.seconds  # with what its thread has in the end, the difference
        self.conflicts = 0


class Requests(object):
    """What servers tell of. Workers only note things, the thread that asks does the counting."""

    def __init__(self, clock=_monotonic):
        self._clock = clock
        # What each thread publishes; no thread touches the place of another one.
        self._published = {}
        self._in_progress = set()  # those, and the ones whose answer is being sent
        # Appending is one step of the interpreter, no lock is needed. Its length is what is
        # answered from one look around to the next; the limit is for a thread that has died.
        self._ended = collections.deque(maxlen=200000)
        self._responses = {}
        self._methods = {}
        self._exceptions = {}
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self.views = ViewSums()

    def forget(self):
        """In a forked child, where nobody asks any more."""
        self._ended = collections.deque(maxlen=0)

    def begin(self, environ):
        """A worker's thread takes up a request; None if it is inside of one that counts."""
        thread_id = _ident()
        if thread_id in self._published:
            return None
        request = RequestInProgress(environ, thread_id, self._clock())
        self._published[thread_id] = request
        self._in_progress.add(request)
        return request

    def published(self, request):
        """The code for it has run in this thread, though its answer may go on."""
        if self._published.pop(request.thread_id, None) is not None:
            request.load_seconds += spent.seconds

    def end(self, request):
        """Its answer has been given; further calls change nothing, whatever thread they are of."""
        if request in self._in_progress:
            # In this order there is no moment at which it is neither in progress nor answered.
            seconds = self._clock() - request.began
            did = request.view, request.loads, request.conflicts, request.load_seconds
            self._ended.append((seconds, request.method, request.status, request.exception, did))
            self._in_progress.discard(request)

    def failed(self, exception):
        """Publishing has failed for good in this thread, though the answer may be a fine page."""
        request = self._published.get(_ident())
        if request is not None:
            request.exception = exception.__name__

    def conflicted(self):
        """A try of publishing has ended in a conflict in this thread."""
        request = self._published.get(_ident())
        if request is not None:
            request.conflicts += 1

    def viewed(self, name):
        """What is about to be published in this thread."""
        request = self._published.get(_ident())
        if request is not None:
            request.view = name

    def loaded(self, objects):
        """A connection that this thread closes has loaded so many."""
        request = self._published.get(_ident())
        if request is not None:
            request.loads += objects

    def count(self):
        """Count those that have ended since the last time."""
        while self._ended:
            seconds, method, status, exception, did = self._ended.popleft()
            self._counts[bisect.bisect_left(BOUNDS, seconds)] += 1
            self._seconds += max(0.0, seconds)
            # Raised to redirect, to say that something is not there, or to ask for a password.
            is_error = exception is not None and (status or "5")[:1] not in ("3", "4")
            view, loads, conflicts, load_seconds = did
            row = [1, max(0.0, seconds), loads, conflicts, int(is_error), max(0.0, load_seconds)]
            self.views.add(view, row)
            if status is not None:
                self._responses[status] = self._responses.get(status, 0) + 1
                codes = self._methods.setdefault(method if method in METHODS else "other", {})
                codes[status] = codes.get(status, 0) + 1
            if exception is not None:
                self._count_exception(exception)
        self.views.count()

    def _count_exception(self, name):
        counts = self._exceptions
        if name not in counts and len(counts) >= MOST_EXCEPTIONS:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def in_progress(self):
        """The requests in progress, the oldest first."""
        return sorted(self._in_progress.copy(), key=lambda request: request.start)

    def status(self, threshold, now):
        """What /v1/status says; requests older than `threshold` seconds are long."""
        in_progress = self.in_progress()
        self.count()
        return {
            "in_progress": len(in_progress),
            "oldest_start": in_progress[0].start if in_progress else None,
            "responses": dict(self._responses),
            "methods": {method: dict(codes) for method, codes in self._methods.items()},
            "exceptions": dict(self._exceptions),
            "duration": {
                "bounds": list(BOUNDS),
                "counts": list(self._counts),
                "sum": self._seconds,
            },
            "views": self.views.status(),
            "long": {
                "threshold_seconds": threshold,
                "count": sum(now - request.start > threshold for request in in_progress),
            },
        }
