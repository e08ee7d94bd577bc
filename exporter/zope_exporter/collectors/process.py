"""The operating system's view of each Zope and ZEO server: alive, its time, memory and files."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import psutil

from zope_exporter.clients.agent.sockets import is_alive
from zope_exporter.discovery.inventory import Inventory, Process, Service
from zope_exporter.metrics.metric import Metric, Part, Sample
from zope_exporter.system.cgroup import memory_limit

LABELS = ("site", "zope")

UP = Metric(
    "zope_process_up", "gauge", "Whether the Zope or ZEO server runs (1) or not (0).", LABELS
)
START_TIME = Metric(
    "zope_process_start_time_seconds",
    "gauge",
    "Time the process started, in seconds since the epoch.",
    LABELS,
)
CPU = Metric(
    "zope_process_cpu_seconds_total",
    "counter",
    "Processor time the process itself spent in user and system mode, without its children.",
    LABELS,
)
RESIDENT = Metric(
    "zope_process_resident_memory_bytes",
    "gauge",
    "Memory of the process that is in RAM, shared pages included.",
    LABELS,
)
MEMORY_LIMIT = Metric(
    "zope_process_memory_limit_bytes",
    "gauge",
    "Lowest memory limit of the control groups the process is in, which it shares with the others"
    " in them; absent without a limit.",
    LABELS,
)
OPEN_FDS = Metric(
    "zope_process_open_fds",
    "gauge",
    "Files and sockets the process has open; absent where the kernel does not tell other users.",
    LABELS,
)
MAX_FDS = Metric(
    "zope_process_max_fds",
    "gauge",
    "Number of open files and sockets at which the process gets errors; absent without a limit.",
    LABELS,
)
THREADS = Metric(
    "zope_process_threads", "gauge", "Threads of the process, of whatever purpose.", LABELS
)

# The kernel counts start times from its own start, which is known to the second only.
SAME_START_SECONDS = 2.0

GONE = (FileNotFoundError, ProcessLookupError)


class MissingRightError(Exception):
    """The kernel does not let us look into another user's process."""


class ProcessCollector:
    """Reads /proc for the processes of all sites.

    `rescan` makes the inventory anew, within a deadline of its own: a process that is gone may
    have been started again a second ago.
    """

    name = "process"
    metrics = (UP, START_TIME, CPU, RESIDENT, MEMORY_LIMIT, OPEN_FDS, MAX_FDS, THREADS)

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        rescan: Callable[[], Inventory],
        proc: Path = Path("/proc"),
    ) -> None:
        self._inventory = inventory
        self._rescan = rescan
        self._proc = proc
        self._found: dict[Process, psutil.Process] = {}

    def parts(self) -> Iterable[Part]:
        services = list(self._inventory().services())
        for gone in set(self._found) - {service.process for _, service in services}:
            self._found.pop(gone, None)  # an overlapping scrape may have been first
        return [
            Part(f"{site}/{service.name}", partial(self._collect, site, service))
            for site, service in services
        ]

    def _collect(self, site: str, service: Service) -> Iterator[Sample]:
        labels = {"site": site, "zope": service.name}
        process = service.process
        vitals = self._vitals(process, labels)
        if vitals is None:
            try:
                process = _process(self._rescan(), site, service.name)
            except Exception:
                # What we knew of is gone, and that must not wait until a search works again.
                yield UP(0, **labels)
                raise
            vitals = self._vitals(process, labels)
        if process is None or vitals is None:
            # Who answers for it lives, in whichever container.
            yield UP(is_alive(service), **labels)
            return
        yield from vitals
        directory = self._proc / str(process.pid) / "fd"
        try:
            # Since Linux 6.2 its size is the number of open files, and any user may ask for that.
            files = directory.stat().st_size or len(os.listdir(directory))  # noqa: PTH208 - cheaper
        except GONE:
            return
        except PermissionError as error:
            raise MissingRightError(
                f"the open files of {service.name} (process {process.pid}) cannot be counted: run"
                " the exporter as the same user or as root, or give it CAP_DAC_READ_SEARCH"
            ) from error
        yield OPEN_FDS(files, **labels)

    def _vitals(self, process: Process | None, labels: dict[str, str]) -> list[Sample] | None:
        """Return what any user may know of the process, None when it is gone or a zombie."""
        if process is None:
            return None
        try:
            running = self._find(process)
            with running.oneshot():
                if running.status() == psutil.STATUS_ZOMBIE:
                    return None
                cpu = running.cpu_times()
                return [
                    UP(1, **labels),
                    START_TIME(process.start_time, **labels),
                    CPU(cpu.user + cpu.system, **labels),
                    RESIDENT(running.memory_info().rss, **labels),
                    THREADS(running.num_threads(), **labels),
                    *_limit(MAX_FDS, self._max_fds(process.pid), labels),
                    *_limit(MEMORY_LIMIT, memory_limit(process.pid, self._proc), labels),
                ]
        except (psutil.NoSuchProcess, *GONE):
            return None

    def _find(self, process: Process) -> psutil.Process:
        # psutil tells a process from its successors even after the clock was set, which shifts
        # all start times; so only the first look has to compare these.
        found = self._found.get(process)
        if found is None:
            found = psutil.Process(process.pid)
            if abs(found.create_time() - process.start_time) > SAME_START_SECONDS:
                raise psutil.NoSuchProcess(process.pid)
            self._found[process] = found
        if not found.is_running():
            raise psutil.NoSuchProcess(process.pid)
        return found

    def _max_fds(self, pid: int) -> int | None:
        # Unlike prlimit(2), this file is open to every user.
        limits = (self._proc / str(pid) / "limits").read_text()
        soft = limits.partition("Max open files")[2].split()[0]
        return None if soft == "unlimited" else int(soft)


def _process(inventory: Inventory, site: str, name: str) -> Process | None:
    same = (each.process for of, each in inventory.services() if (of, each.name) == (site, name))
    return next(same, None)


def _limit(metric: Metric, limit: int | None, labels: dict[str, str]) -> list[Sample]:
    return [] if limit is None else [metric(limit, **labels)]
