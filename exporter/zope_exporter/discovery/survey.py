"""One search of this host for Zope and ZEO servers, from their processes to their sites."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from .assembly import assemble
from .declared import Declared
from .gathering import Candidate, Gathering
from .hosts import local_hosts
from .inventory import Inventory
from .looking import Looking
from .memory import Memory, Remembered
from .processes import Processes, find_processes
from .services import ServiceReader
from .sharing import Sharing
from .sites import Settled, settle

# What says where data lies; a password or a DSN has no such shape, and none may be written down.
_STORABLE = re.compile(r"/[^\s@]*|[A-Za-z0-9.-]*:\d{1,5}")


class Survey:
    """Searches this host, and keeps the memory of it up to date.

    `looking` tells what it looks at just now.
    Without `discover` only what is declared is watched, and nothing is remembered.
    """

    def __init__(
        self,
        memory: Memory,
        declared: Sequence[Declared] = (),
        discover: bool = True,
        find: Callable[[], Processes] | None = None,
        hosts: Callable[[], Collection[str]] = local_hosts,
    ) -> None:
        self.looking = Looking()
        self._memory = memory
        self._declared = declared
        self._discover = discover
        self._find = find or partial(find_processes, looking=self.looking)
        self._hosts = hosts
        self._reader = ServiceReader(self.looking)

    def __call__(self) -> Inventory:
        """Search once. What could not be seen is told by the problems of the inventory."""
        processes = self._find()
        gathering = self._gather(processes)
        self._reader.drop_unasked()
        candidates = gathering.candidates
        services = [each.member.service for each in candidates]
        sharing = Sharing(services, self._hosts(), self.looking)
        targets = {site.site: site.targets for site in self._declared}
        zeo = {site.site: site.zeo for site in self._declared}
        settled = settle([each.member for each in candidates], targets, sharing)
        if self._discover:
            self._remember(zip(candidates, settled, strict=True), gathering.forgotten)
        problems = [*processes.problems, *filter(None, [self._memory.problem])]
        return Inventory(assemble(settled, targets, sharing, zeo), tuple(problems))

    def _gather(self, processes: Processes) -> Gathering:
        gathering = Gathering(self._reader, processes.sources, self.looking)
        self.looking("the state file")
        remembered = self._memory.load() if self._discover else ()
        for site in self._declared:
            gathering.add_declared(site, remembered)
        if self._discover:
            gathering.add_remembered(remembered)
            gathering.add_running()
        return gathering

    def _remember(
        self, services: Iterable[tuple[Candidate, Settled]], gone: Sequence[Remembered]
    ) -> None:
        changed, forgotten = [], list(gone)
        for candidate, settled in services:
            row = None if settled.declared else _row(candidate, settled)
            if row and row != candidate.row:
                changed.append(row)
                if candidate.row and candidate.row.key != row.key:
                    forgotten.append(candidate.row)
        if changed or forgotten:
            self.looking("the state file")
            self._memory.save(changed, forgotten)


def _row(candidate: Candidate, settled: Settled) -> Remembered | None:
    service, source = settled.service, candidate.source
    if candidate.row is not None and service.process is None:
        return candidate.row  # what it was told is only known while it runs
    return Remembered(
        service.kind,
        service.config,
        service.wsgi_ini,
        source.directory,
        source.variables,
        tuple(sorted(pair for pair in candidate.environ.items() if _STORABLE.fullmatch(pair[1]))),
        settled.sites[0] if service.databases else "",
        service.name,
    )
