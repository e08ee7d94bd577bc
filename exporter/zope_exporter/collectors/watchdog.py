"""Whether alerting still gives signs of life."""

from collections.abc import Iterator

from zope_exporter.alerting.watchdog.timer import Watchdog
from zope_exporter.metrics.metric import Metric, Sample

LAST_SEEN = Metric(
    "zope_watchdog_last_seen_timestamp_seconds",
    "gauge",
    "When a watchdog alert last arrived, in seconds since the epoch; absent before the first.",
)
SILENT = Metric(
    "zope_watchdog_silent",
    "gauge",
    "Whether watchdog alerts have stopped arriving for longer than they may (1) or not (0).",
)
MAX_SILENCE = Metric(
    "zope_watchdog_max_silence_seconds",
    "gauge",
    "How long no watchdog alert may arrive before people are notified.",
)
MESSAGES = Metric(
    "zope_watchdog_messages_total",
    "counter",
    "Messages to people that watchdog alerts have stopped or are back; those that failed are "
    "tried again.",
    ("channel", "outcome"),
)


class WatchdogCollector:
    """Has nothing to say where no dead-man timer is configured."""

    name = "watchdog"
    metrics = (LAST_SEEN, SILENT, MAX_SILENCE, MESSAGES)

    def __init__(self, watchdog: Watchdog | None) -> None:
        self._watchdog = watchdog

    def collect(self) -> Iterator[Sample]:
        watchdog = self._watchdog
        if watchdog is None:
            return
        yield MAX_SILENCE(watchdog.max_silence)
        yield SILENT(bool(watchdog.is_silent()))
        if watchdog.heard_at is not None:
            yield LAST_SEEN(watchdog.heard_at)
        for notifier in watchdog.notifiers:
            yield MESSAGES(notifier.sent, channel=notifier.channel, outcome="sent")
            yield MESSAGES(notifier.failed, channel=notifier.channel, outcome="failed")
