"""What the messages received by syslog say, and how many were lost."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from zope_exporter.logs.counters import COUNTED
from zope_exporter.logs.syslog import counting
from zope_exporter.logs.syslog.receiver import SyslogReceiver
from zope_exporter.metrics.metric import Part, Sample


class SyslogCollector:
    """The counters of logs that come by syslog are the same metrics as of those in files."""

    name = "syslog"
    metrics = (*counting.METRICS, *COUNTED)

    def __init__(self, receivers: Sequence[SyslogReceiver]) -> None:
        self._receivers = receivers

    def parts(self) -> Iterable[Part]:
        return [Part((receiver.site,), partial(_collect, receiver)) for receiver in self._receivers]


def _collect(receiver: SyslogReceiver) -> Iterator[Sample]:
    yield from receiver.collect()
    problem = receiver.problem  # once: it may listen again between two looks
    if problem is not None:
        raise problem
