"""Servers that serve by processes of their own: the master, and the workers that run Zope."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import psutil

from .inventory import Process, Service, Worker
from .started_program import UWSGI, is_interpreter, program_of

_MANY = re.compile(
    rf"(?:.*/)?\.?(gunicorn|uvicorn|{UWSGI}|hypercorn|granian)(?:-wrapped)?(?:\.py)?"
)
_TITLE = re.compile(r"(gunicorn|uWSGI)\b.*\bmaster\b", re.IGNORECASE)
_WORKER = re.compile(r"gunicorn: worker\b.*|uWSGI worker\b.*", re.IGNORECASE | re.DOTALL)
_EMBEDS = re.compile(r"gunicorn|uwsgi|apache2|httpd|\(wsgi:", re.IGNORECASE)
_SPAWNED = "multiprocessing.spawn"
_MOST_STEPS = 3


def has_workers(argv: Sequence[str]) -> bool:
    """Whether it is the command line of a server that may have worker processes."""
    return bool(_MANY.fullmatch(program_of(argv)[0]) or (argv and _TITLE.match(argv[0])))


def may_be_server(argv: Sequence[str]) -> bool:
    """Whether it is worth a look at what the process has open: a Python, or what embeds one."""
    name = argv[0].rpartition("/")[2] if argv else ""
    titled = bool(argv) and _EMBEDS.match(argv[0])
    return is_interpreter(name) or has_workers(argv) or bool(titled or _EMBEDS.match(name))


def is_worker(argv: Sequence[str], master: Sequence[str]) -> bool:
    """Whether the child of a master is one of its workers, and no helper."""
    if not argv:
        return False
    spawned = len(argv) > 2 and argv[1] == "-c" and _SPAWNED in argv[2]
    return list(argv) == list(master) or bool(_WORKER.match(argv[0])) or spawned


def workers_of(process: Process) -> tuple[Process, ...]:
    """Return the workers of the master that a process is, none if it is no master."""
    found = []
    with suppress(psutil.Error, OSError):
        master = psutil.Process(process.pid)
        argv = master.cmdline()
        for child in master.children() if has_workers(argv) else ():
            with suppress(psutil.Error, OSError):
                if is_worker(child.cmdline(), argv):
                    found.append(Process(child.pid, child.create_time()))
    return tuple(found)


def master_of(pid: int) -> Process | None:
    """Return the master of a worker; None if its parent is none, or another user's."""
    found = None
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        for _ in range(_MOST_STEPS):
            parent = process.parent()
            if parent is None or not has_workers(parent.cmdline()):
                break
            if parent.uids().effective not in (0, process.uids().effective):
                break
            process = parent
            found = Process(parent.pid, parent.create_time())
    return found


def _master_or_itself(pid: int) -> int:
    master = master_of(pid)
    return master.pid if master else pid


def serve_together(one: int, other: int) -> bool:
    """Whether two processes are of one master, or are it; or children of one server.

    Such a server is Apache for those of mod_wsgi.
    """
    if _master_or_itself(one) == _master_or_itself(other):
        return True
    with suppress(psutil.Error, OSError):
        first, second = psutil.Process(one), psutil.Process(other)
        parent = first.parent()
        if parent is not None and parent == second.parent():
            argv = parent.cmdline()
            embeds = bool(argv) and bool(_EMBEDS.match(argv[0].rpartition("/")[2]))
            return embeds or has_workers(argv) or argv == first.cmdline() == second.cmdline()
    return False


class Workers:
    """Knows the workers of each service by numbers, which they keep for as long as they live."""

    def __init__(self, find: Callable[[Process], Iterable[Process]] = workers_of) -> None:
        self._find = find
        self._numbers: dict[Process, dict[Process, int]] = {}
        self._seen: set[Process] = set()

    def of(self, service: Service, also: Iterable[Process] = ()) -> Service:
        """Return a service with its workers, those known otherwise `also` among them."""
        master = service.process
        if master is None:
            return service
        self._seen.add(master)
        found = {*self._find(master), *also} - {master}
        last = self._numbers.get(master, {})
        numbers = {worker: last[worker] for worker in found if worker in last}
        free = (number for number in range(1, len(found) + 1) if number not in numbers.values())
        new = sorted(found - set(last), key=lambda each: (each.start_time, each.pid))
        numbers.update(zip(new, free, strict=False))
        self._numbers[master] = numbers
        workers = sorted((number, worker) for worker, number in numbers.items())
        return replace(service, workers=tuple(Worker(*each) for each in workers))

    def drop_unused(self) -> None:
        """Forget the services that were not asked for since the last call."""
        self._numbers = {key: known for key, known in self._numbers.items() if key in self._seen}
        self._seen.clear()
