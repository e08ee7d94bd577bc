"""Counts what the connections of a database load and store, whoever else does so as well."""

from __future__ import absolute_import

import collections

_LEFT = "_zope_exporter_left"  # at a connection: its counters as of our last look


class CountingMonitor(object):
    """An activity monitor around `inner`, the one the database has had or None.

    `loaded` is told in each thread how many objects the connections have loaded that it closes.
    """

    def __init__(self, inner, loaded):
        self.inner = inner
        self._told = loaded
        # As with requests: appending needs no lock, and the agent's thread counts.
        self._closed = collections.deque(maxlen=200000)
        self._loads = 0
        self._stores = 0
        self._transactions = 0
        self._closes = 0

    def forget(self):
        """In a forked child, where nobody asks any more."""
        self._closed = collections.deque(maxlen=0)

    def closedConnection(self, connection):  # noqa: N802 -- ZODB calls it so
        """Count what has been done since the connection was closed before."""
        if self.inner is None:
            done = connection.getTransferCounts(True)
        else:
            done = self._since_last_close(connection)
        self._closed.append(done)
        self._told(done[0])

    def count(self):
        """Count the connections closed since the last time."""
        while self._closed:
            loads, stores = self._closed.popleft()
            self._loads += loads
            self._stores += stores
            self._transactions += stores > 0
            self._closes += 1

    def _since_last_close(self, connection):
        """Let the inner one see and clear the counters, or keep them, as it has always done."""
        loads, stores = connection.getTransferCounts()
        left_loads, left_stores = getattr(connection, _LEFT, (0, 0))
        if loads < left_loads or stores < left_stores:  # cleared by someone meanwhile
            left_loads = left_stores = 0
        self.inner.closedConnection(connection)
        setattr(connection, _LEFT, connection.getTransferCounts())
        return loads - left_loads, stores - left_stores

    def status(self):
        self.count()
        return {
            "loads": self._loads,
            "stores": self._stores,
            "transactions": self._transactions,
            "closes": self._closes,
        }

    def __getattr__(self, name):
        # Zope 2's management pages ask the monitor they have set for its history.
        return getattr(self.inner, name)


class Activity(object):
    """The monitors of all databases seen, by identity of the database."""

    def __init__(self, loaded):
        self._loaded = loaded
        self._monitors = {}

    def forget(self):
        for monitor in self._monitors.values():
            monitor.forget()

    def watch(self, database):
        """Count from now on, if that is not done yet; return the monitor."""
        present = database.getActivityMonitor()
        ours = self._monitors.get(id(database))
        if ours is None:
            ours = self._monitors[id(database)] = CountingMonitor(present, self._loaded)
            database.setActivityMonitor(ours)
        elif present is not ours and not _leads_to(present, ours):
            # Someone has replaced it: then theirs is the one to be called.
            ours.inner = present
            database.setActivityMonitor(ours)
        return ours


def _leads_to(monitor, ours):
    return any(value is ours for value in getattr(monitor, "__dict__", {}).values())
