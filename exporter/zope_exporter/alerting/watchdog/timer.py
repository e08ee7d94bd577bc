"""The dead-man timer: says that alerting is silent, since alerting cannot say so itself."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from zope_exporter.metrics.metric import Metric, Sample

from .message import Message
from .notifier import Notifier
from .store import WatchdogStore

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0

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
    "How long no watchdog alert may arrive before people are told.",
)
MESSAGES = Metric(
    "zope_watchdog_messages_total",
    "counter",
    "Messages to people that watchdog alerts have stopped or are back; those that failed are "
    "tried again.",
    ("channel", "outcome"),
)
METRICS = (LAST_SEEN, SILENT, MAX_SILENCE, MESSAGES)

Channels = Mapping[str, Callable[[Message], None]]


class Watchdog:
    """Tells people by each channel when no sign of life was heard for `max_silence` seconds.

    At the start that long is waited first: the signs of life may have arrived while nobody was
    there to hear them. Seconds are counted by `clock`, which no setting of the time changes.
    """

    def __init__(
        self,
        max_silence: float,
        repeat: float,
        channels: Channels,
        store: WatchdogStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_silence = max_silence
        self._tellers = [
            Notifier(name, partial(self._tell, send), repeat) for name, send in channels.items()
        ]
        self._store = store
        self._clock = clock
        self._since = clock()
        self._heard_now = False
        self._heard_at = store.load(self._tellers, self._since, time.time())
        self._saved_at = self._heard_at
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end; a message under way, which has its deadline, is not waited for."""
        self._stopped = True
        self._wake.set()

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def heard(self) -> None:
        """Note a sign of life."""
        self._since = self._clock()
        self._heard_at = time.time()
        self._heard_now = True
        self._wake.set()

    def step(self) -> float:
        """Tell what has to be told now; return for how many seconds there is nothing to do."""
        if self._heard_at is not None and self._heard_at != self._saved_at:
            self._saved_at = self._heard_at
            self._store.heard(self._heard_at)
        for teller in self._tellers:
            silent, now = self._silent(), self._clock()
            due = silent is not None and teller.due(silent, now) <= now
            if due and teller.attempt(bool(silent), now):
                self._store.told(teller, time.time())
        silent, now = self._silent(), self._clock()
        ends = [] if silent else [self._since + self._max_silence]
        return max(min([*ends, *(teller.due(silent, now) for teller in self._tellers)]) - now, 0)

    def collect(self) -> Iterator[Sample]:
        yield MAX_SILENCE(self._max_silence)
        yield SILENT(bool(self._silent()))
        if self._heard_at is not None:
            yield LAST_SEEN(self._heard_at)
        for teller in self._tellers:
            yield MESSAGES(teller.sent, channel=teller.channel, outcome="sent")
            yield MESSAGES(teller.failed, channel=teller.channel, outcome="failed")

    def _silent(self) -> bool | None:
        if self._clock() - self._since >= self._max_silence:
            return True
        return False if self._heard_now else None

    def _tell(self, send: Callable[[Message], None], silent: bool) -> None:
        send(Message(socket.gethostname(), silent, self._max_silence, self._heard_at))

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stopped:
                return
            self._wake.wait(min(self._try_step(), threading.TIMEOUT_MAX))

    def _try_step(self) -> float:
        try:
            return self.step()
        except Exception:  # without this thread nobody would hear of any silence any more
            log.exception("the watchdog's timer has failed, next try in %g s", RETRY_SECONDS)
            return RETRY_SECONDS
