"""Receiving the syslog messages of one site, in a thread that may use a share of a core."""

import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from zope_exporter.logs.tail.lines import JSON
from zope_exporter.logs.tail.store import LogKey, LogStore
from zope_exporter.metrics.metric import Sample
from zope_exporter.system.state import StateError

from .counting import Counters, MessageCounter
from .listen import ListenError, listening, parse_address
from .message import SyslogSettings

SHARE = 0.25
WINDOW_SECONDS = 1.0

# From Linux' asm-generic/socket.h and linux/sock_diag.h; Python does not name them.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
_DROPS = 8
BATCH = 64
_LONGEST = 64 * 1024

log = logging.getLogger(__name__)
RETRY_SECONDS = 15.0
# Taking several messages at a time costs a fraction; the kernel keeps hundreds for us meanwhile.
GATHER_SECONDS = 0.01
# What is in the socket's buffer at the end, but not for ever in a flood.
LAST_BATCHES = 256


class CpuQuota:
    """Allows its thread a share of a core, reckoned in windows of one second."""

    def __init__(
        self,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._share = share
        self._clock = clock
        self._used = used
        self._began = float("-inf")
        self._before = 0.0

    def exceeded(self) -> float:
        """Return how many seconds of this window are left without a quota, 0 if it lasts."""
        now, used = self._clock(), self._used()
        left = self._began + WINDOW_SECONDS - now
        if left <= 0:
            self._began, self._before = now, used
            return 0.0
        return left if used - self._before > self._share * WINDOW_SECONDS else 0.0


class DatagramReader:
    """Reads a datagram socket; another thread can end the waiting for more."""

    def __init__(self, receiver: socket.socket, wake: int) -> None:
        self._receiver = receiver
        self._wake = wake
        self._buffer = bytearray(_LONGEST)
        self._poll = select.poll()
        self._poll.register(receiver, select.POLLIN)
        self._poll.register(wake, select.POLLIN)
        self._drops = self._drops_so_far()

    def wait(self) -> bool:
        """Wait for datagrams; return False when woken up instead."""
        return all(descriptor != self._wake for descriptor, _ in self._poll.poll())

    def take(self) -> tuple[list[bytes], int]:
        """Return up to 64 datagrams and how many of them were cut at 64 KiB; never blocks."""
        datagrams: list[bytes] = []
        cut = 0
        while len(datagrams) < BATCH:
            try:
                size, _, flags, _ = self._receiver.recvmsg_into(
                    [self._buffer], 0, socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                break
            datagrams.append(bytes(memoryview(self._buffer)[:size]))
            cut += bool(flags & socket.MSG_TRUNC)
        return datagrams, cut

    def dropped(self) -> int:
        """Return how many datagrams the kernel has dropped since the last call."""
        before, self._drops = self._drops, self._drops_so_far()
        return (self._drops - before) % 2**32

    def _drops_so_far(self) -> int:
        memory = self._receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        drops: int = _MEMINFO.unpack(memory)[_DROPS]
        return drops


class SyslogReceiver:
    """Listens from the start until `stop`; an address that cannot be had is tried again.

    Raises ValueError for an address that is none.
    """

    def __init__(
        self,
        site: str,
        settings: SyslogSettings,
        counters: Counters,
        store: LogStore,
        quota: CpuQuota | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self._settings = settings
        self._address = parse_address(settings.listen)
        self._counter = MessageCounter(settings, counters, clock)
        self._store = store
        self._key = LogKey(site, "syslog", b"")
        self._quota = quota or CpuQuota()
        self._saving = threading.Lock()
        self._lock = threading.Lock()
        self._listening = threading.Condition(self._lock)
        self._reader: DatagramReader | None = None
        self._bound: socket.socket | None = None
        self._problem: Exception | None = None
        self._wake = os.eventfd(0)
        self._stopping = threading.Event()
        self._saved = self._load()
        self._thread = threading.Thread(target=self._run, name=f"syslog {site}", daemon=True)
        self._thread.start()

    def bound(self, timeout: float) -> tuple[str, int] | str:
        """Return what the socket is bound to, as soon as it is; raise ListenError if it is not."""
        with self._listening:
            self._listening.wait_for(lambda: self._bound or self._problem, timeout)
            if self._bound is None:
                raise ListenError(f"not listening at {self._address} yet") from self._problem
            name: tuple[str, int] | str = self._bound.getsockname()
            return name

    @property
    def problem(self) -> Exception | None:
        """Why nothing is received at the moment."""
        return self._problem

    def collect(self) -> Iterator[Sample]:
        """Save all counters, then make samples of what was saved, so that no restart lets one fall.

        Raises StateError after the samples if they could not be saved.
        """
        yield from self._saved_samples()
        if self._store.problem is not None:
            raise StateError(self._store.problem)

    def stop(self, timeout: float = 5.0) -> None:
        """End the listening and save the counters."""
        self._stopping.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join(timeout)
        if not self._thread.is_alive():
            os.close(self._wake)
        self._saved_samples()

    def _saved_samples(self) -> list[Sample]:
        with self._saving:  # a scrape that outlasts `stop` would else put older counters back
            samples, counters = self._now()
            if counters != self._saved and self._store.save({self._key: counters}):
                self._saved = counters
        return samples

    def _now(self) -> tuple[list[Sample], Mapping[str, JSON]]:
        with self._lock:
            self._count_drops()
            return list(self._counter.samples(self.site)), self._counter.save()

    def _load(self) -> Mapping[str, JSON]:
        saved = self._store.load().get(self._key, {})
        try:
            if saved:
                self._counter.load(saved)
        except ValueError as error:
            log.warning("the syslog counters of %s start again from 0: %s", self.site, error)
        return saved

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._listen()
            self._stopping.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        try:
            with listening(self._address, self._settings.mode) as receiver:
                self._serve(receiver)
        except Exception as error:  # the thread must live on; SyslogCollector raises this
            with self._listening:
                self._problem = error
                self._listening.notify_all()

    def _serve(self, receiver: socket.socket) -> None:
        reader = DatagramReader(receiver, self._wake)
        with self._listening:
            self._bound, self._reader, self._problem = receiver, reader, None
            self._listening.notify_all()
        # Whoever sends to the full buffer of a Unix socket is blocked, and that would be Zope.
        take = self._take_at_once if receiver.family == socket.AF_UNIX else self._take_at_leisure
        try:
            while reader.wait():
                take(reader)
            for _ in range(LAST_BATCHES):
                self._take_at_once(reader)
        finally:
            with self._lock:
                self._count_drops()
                self._bound = self._reader = None

    def _take_at_once(self, reader: DatagramReader) -> None:
        datagrams, cut = reader.take()
        exceeded = self._quota.exceeded()
        with self._lock:
            self._counter.counts.truncated += cut
            if exceeded:
                self._counter.counts.dropped["flood"] += len(datagrams)
            else:
                self._counter.count(datagrams)

    def _take_at_leisure(self, reader: DatagramReader) -> None:
        # What does not fit into the buffer meanwhile the kernel drops, and counts.
        self._stopping.wait(self._quota.exceeded() or GATHER_SECONDS)
        datagrams = [b""] * BATCH
        while len(datagrams) == BATCH and not self._quota.exceeded():
            datagrams, cut = reader.take()
            with self._lock:
                self._counter.counts.truncated += cut
                self._counter.count(datagrams)

    def _count_drops(self) -> None:
        if self._reader is not None:
            self._counter.counts.dropped["buffer"] += self._reader.dropped()
