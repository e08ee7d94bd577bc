"""A host on which no log is followed."""

from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.followed import FollowedLogs
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch


def no_logs() -> FollowedLogs:
    return FollowedLogs(LogWatch(tuple, CounterMaker({}).of_file, LogStore(None)))
