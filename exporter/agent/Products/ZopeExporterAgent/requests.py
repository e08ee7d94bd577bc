"""The requests of this process: those in progress, and counts of those answered."""

from __future__ import absolute_import

import bisect
import collections
import threading
import time

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
MOST_EXCEPTIONS = 30  # classes counted by name, the later ones are "other"
_monotonic = getattr(time, "monotonic", time.time)
_ident = getattr(threading, "get_ident", None) or __import__("thread").get_ident


class RequestInProgress(object):
    """One request, from the moment a worker has it to the end of its answer."""

    __slots__ = ("began", "environ", "exception", "is_published", "start", "status", "thread_id")

    def __init__(self, environ, thread_id, began):
        self.environ = environ
        self.thread_id = thread_id
        self.start = time.time()
        self.began = began
        self.is_published = False  # the code for it has run, though its answer may go on
        self.status = None  # the three digits, once they are known
        self.exception = None  # name of the class


class Requests(object):
    """What servers tell of. Workers only note things, the thread that asks does the counting."""

    def __init__(self, clock=_monotonic):
        self._clock = clock
        self._by_thread = {}  # the latest request of each
        self._sent_elsewhere = {}  # by identity: those whose thread has begun another one
        # Appending is one step of the interpreter, no lock is needed. Its length is what is
        # answered from one look around to the next; the limit is for a thread that has died.
        self._ended = collections.deque(maxlen=200000)
        self._responses = {}
        self._exceptions = {}
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def forget(self):
        """In a forked child, where nobody asks any more."""
        self._ended = collections.deque(maxlen=0)

    def begin(self, environ):
        """A worker's thread takes up a request; None if it is inside of one that counts."""
        thread_id = _ident()
        latest = self._by_thread.get(thread_id)
        if latest is not None:
            if not latest.is_published:
                return None
            self._sent_elsewhere[id(latest)] = latest
        request = RequestInProgress(environ, thread_id, self._clock())
        self._by_thread[thread_id] = request
        return request

    def end(self, request):
        """Its answer has been given; further calls change nothing."""
        if self._by_thread.get(request.thread_id) is request:
            place, key = self._by_thread, request.thread_id
        elif id(request) in self._sent_elsewhere:
            place, key = self._sent_elsewhere, id(request)
        else:
            return
        # In this order there is no moment at which it is neither in progress nor answered.
        self._ended.append((self._clock() - request.began, request.status, request.exception))
        del place[key]

    def failed(self, exception):
        """Publishing has failed for good in this thread, though the answer may be a fine page."""
        request = self._by_thread.get(_ident())
        if request is not None and not request.is_published:
            request.exception = exception.__name__

    def count(self):
        """Count those that have ended since the last time."""
        while self._ended:
            seconds, status, exception = self._ended.popleft()
            self._counts[bisect.bisect_left(BOUNDS, seconds)] += 1
            self._seconds += max(0.0, seconds)
            if status is not None:
                self._responses[status] = self._responses.get(status, 0) + 1
            if exception is not None:
                self._count_exception(exception)

    def _count_exception(self, name):
        counts = self._exceptions
        if name not in counts and len(counts) >= MOST_EXCEPTIONS:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def in_progress(self):
        """The requests in progress, the oldest first."""
        found = list(self._by_thread.copy().values())
        found += self._sent_elsewhere.copy().values()
        return sorted(found, key=lambda request: request.start)

    def status(self, threshold, now):
        """What /v1/status says; requests older than `threshold` seconds are long."""
        in_progress = self.in_progress()
        self.count()
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
