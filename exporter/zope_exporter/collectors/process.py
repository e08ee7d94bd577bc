"""The operating system's view of each Zope and ZEO server: alive, its time, memory and files."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
    "Processor time the process itself spent in user and system mode, without its children; of a"
    " server with workers that of all its processes, also of those that have ended.",
    LABELS,
)
RESIDENT = Metric(
    "zope_process_resident_memory_bytes",
    "gauge",
    "Memory of the process that is in RAM, shared pages included; of a server with workers the sum"
    " of all its processes, where pages they share count for each.",
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
    "Files and sockets that the process has open, of several processes the highest value; "
    "absent if the kernel does not show it to other users.",
    LABELS,
)
MAX_FDS = Metric(
    "zope_process_max_fds",
    "gauge",
    "Number of open files and sockets at which the process gets errors; absent without a limit.",
    LABELS,
)
THREADS = Metric(
    "zope_process_threads",
    "gauge",
    "Threads of the process and of its workers, of whatever purpose.",
    LABELS,
)
WORKERS = Metric(
    "zope_process_workers",
    "gauge",
    "Worker processes of a server that serves by such; absent for any other.",
    LABELS,
)

# The kernel counts start times from its own start, which is known to the second only.
SAME_START_SECONDS = 2.0

GONE = (FileNotFoundError, ProcessLookupError)


class MissingRightError(Exception):
    """The kernel does not let us look into another user's process."""


class _Vitals(NamedTuple):
    """What a process has used: seconds, also of its children that have ended, bytes, threads."""

    pid: int
    cpu: float
    ended_children: float
    resident: int
    threads: int


class ProcessCollector:
    """Reads /proc for the processes of all sites.

    `rescan` makes the inventory anew, within a deadline of its own: a process that is gone may
    have been started again a second ago.
    """

    name = "process"
    metrics = (UP, START_TIME, CPU, RESIDENT, MEMORY_LIMIT, OPEN_FDS, MAX_FDS, THREADS, WORKERS)

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
        self._masters: set[Process] = set()

    def parts(self) -> Iterable[Part]:
        services = list(self._inventory().services())
        known = {process for _, service in services for process in service.processes}
        for gone in set(self._found) - known:
            self._found.pop(gone, None)  # an overlapping scrape may have been first
        self._masters = {each for each in self._masters if each in known}
        self._masters |= {s.process for _, s in services if s.process and s.workers}
        return [
            Part((site, service.name), partial(self._collect, site, service))
            for site, service in services
            if not service.is_elsewhere
        ]

    def _collect(self, site: str, service: Service) -> Iterator[Sample]:
        labels = {"site": site, "zope": service.name}
        vitals = self._vitals(service)
        if not vitals:
            try:
                service = _service(self._rescan(), site, service)
            except Exception:
                # What we knew of is gone, and that must not wait until a search works again.
                yield UP(0, **labels)
                raise
            vitals = self._vitals(service)
        if service.process is None or not vitals:
            # Who answers for it lives, in whichever container.
            yield UP(is_alive(service), **labels)
            return
        yield UP(1, **labels)
        yield START_TIME(service.process.start_time, **labels)
        yield from self._sums(service.process, vitals, labels)
        open_files = [self._open_files(each.pid, service.name) for each in vitals]
        known = [files for files in open_files if files is not None]
        if known:
            yield OPEN_FDS(max(known), **labels)

    def _sums(
        self, master: Process, vitals: Sequence["_Vitals"], labels: dict[str, str]
    ) -> Iterator[Sample]:
        cpu = sum(each.cpu for each in vitals)
        if len(vitals) > 1 or master in self._masters:
            cpu += vitals[0].ended_children  # so that it does not fall when a worker ends
            yield WORKERS(len(vitals) - 1, **labels)
        yield CPU(cpu, **labels)
        yield RESIDENT(sum(each.resident for each in vitals), **labels)
        yield THREADS(sum(each.threads for each in vitals), **labels)
        with suppress(*GONE):
            yield from _limit(MAX_FDS, self._max_fds(master.pid), labels)
            yield from _limit(MEMORY_LIMIT, memory_limit(master.pid, self._proc), labels)

    def _open_files(self, pid: int, name: str) -> int | None:
        directory = self._proc / str(pid) / "fd"
        try:
            # Since Linux 6.2 its size is the number of open files, and any user may ask for that.
            return directory.stat().st_size or len(os.listdir(directory))  # noqa: PTH208 - cheaper
        except GONE:
            return None
        except PermissionError as error:
            raise MissingRightError(
                f"the open files of {name} (process {pid}) cannot be counted: run"
                " the exporter as the same user or as root, or give it CAP_DAC_READ_SEARCH"
            ) from error

    def _vitals(self, service: Service) -> list["_Vitals"]:
        """What any user may know of each of its processes, nothing when the first is gone."""
        first, *workers = [self._vitals_of(each) for each in service.processes] or [None]
        return [] if first is None else [first, *(each for each in workers if each is not None)]

    def _vitals_of(self, process: Process) -> "_Vitals | None":
        try:
            running = self._find(process)
            with running.oneshot():
                if running.status() == psutil.STATUS_ZOMBIE:
                    return None
                cpu = running.cpu_times()
                return _Vitals(
                    process.pid,
                    cpu.user + cpu.system,
                    cpu.children_user + cpu.children_system,
                    running.memory_info().rss,
                    running.num_threads(),
                )
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


def _service(inventory: Inventory, site: str, lost: Service) -> Service:
    """The service of that name as it is now."""
    same = (each for of, each in inventory.services() if (of, each.name) == (site, lost.name))
    return next(same, replace(lost, process=None, workers=()))


def _limit(metric: Metric, limit: int | None, labels: dict[str, str]) -> list[Sample]:
    return [] if limit is None else [metric(limit, **labels)]
