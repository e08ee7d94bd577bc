"""One search of this host for Zope and ZEO servers, from their processes to their sites."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from .assembly import assemble
from .candidate import Candidate, Source
from .evidence import Evidence
from .gathering import Gathering, declared_source
from .inventory import Inventory, Site
from .looking import LastKnown, Looking
from .memory import Memory, Remembered
from .processes import Processes, Seen, find_processes
from .rows import row_of, source_of
from .services import ServiceReader
from .sharing import Sharing, local_hosts, own_name
from .sites import settle
from .workers import Workers


class Survey:
    """Searches this host, and keeps the memory of it up to date.

    `declared` are the sites of the configuration: services that have only what is given by hand,
    targets, and ZEO servers of which the address alone is known. `looking` tells what it looks at
    just now. Without `discover` only what is declared is watched, and nothing is remembered.
    """

    def __init__(
        self,
        memory: Memory,
        declared: Sequence[Site] = (),
        discover: bool = True,
        find: Callable[[], Processes] | None = None,
        hosts: Callable[[], Collection[str]] = local_hosts,
        host: Callable[[], str] = own_name,
    ) -> None:
        self.looking = Looking()
        self._memory = memory
        self._declared = {site.name: site for site in declared}
        self._discover = discover
        seen = LastKnown[Seen]()
        self._find = find or partial(find_processes, looking=self.looking, known=seen)
        self._hosts, self._host = hosts, host
        self._reader = ServiceReader(self.looking)
        self._described = LastKnown[Candidate | str]()
        self._shown = LastKnown[Source | None]()
        self._elsewhere: list[Candidate] = []
        self._workers = Workers()

    def __call__(self) -> Inventory:
        """Search once. What could not be seen is told by the problems of the inventory."""
        processes = self._find()
        gathering = self._gather(processes)
        self._reader.drop_unused()
        candidates = [self._with_workers(each) for each in gathering.candidates]
        self._workers.drop_unused()
        sharing = Sharing([each.service for each in candidates], self._hosts(), self.looking)
        settled = settle(candidates, self._declared, sharing, self._host())
        self._elsewhere = _elsewhere(settled)
        if self._discover:
            self._remember(settled, gathering.forgotten)
        told = [*processes.problems, *gathering.problems] if self._discover else []
        problems = [*told, *self._unseen(processes, settled), *filter(None, [self._memory.problem])]
        return Inventory(assemble(settled, self._declared, sharing), tuple(problems))

    def _unseen(self, processes: Processes, settled: Sequence[Candidate]) -> list[str]:
        """What cannot be seen. Without `discover` only the configured ones matter."""
        is_missing = self._discover or any(each.service.process is None for each in settled)
        return [processes.hidden] if processes.hidden and is_missing else []

    def _with_workers(self, found: Candidate) -> Candidate:
        return replace(found, service=self._workers.of(found.service, found.source.workers))

    def _gather(self, processes: Processes) -> Gathering:
        self.looking("the state file")
        remembered = self._memory.load() if self._discover else ()
        known = [declared_source(s) for site in self._declared.values() for s in site.services]
        known += map(source_of, remembered)
        evidence = Evidence(self._reader, known, self.looking, self._shown)
        sources = [*processes.sources, *evidence.sources(processes.holders)]
        gathering = Gathering(self._reader, sources, self.looking, self._described)
        gathering.problems += evidence.problems
        for site in self._declared.values():
            gathering.add_declared(site, remembered)
        if self._discover:
            gathering.add_remembered(remembered)
            gathering.add_elsewhere(self._elsewhere)
            gathering.add_running()
        self._described.drop_unused()
        return gathering

    def _remember(self, settled: Iterable[Candidate], gone: Sequence[Remembered]) -> None:
        changed, forgotten = [], list(gone)
        for each in settled:
            row = None if each.declared or each.source.root else row_of(each)
            if row and row != each.row:
                changed.append(row)
                if each.row and each.row.key != row.key:
                    forgotten.append(each.row)
        if changed or forgotten:
            self.looking("the state file")
            self._memory.save(changed, forgotten)


def _elsewhere(settled: Iterable[Candidate]) -> list[Candidate]:
    """What is in other containers, with the names that it has got."""
    return [
        replace(each, site=each.sites[0], name=each.service.name)
        for each in settled
        if each.source.root and not each.declared
    ]
