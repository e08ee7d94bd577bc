"""One search of this host for Zope and ZEO servers, from their processes to their sites."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from zope_exporter.system.foreign_file import ForeignFileError

from .assembly import assemble
from .candidate import Candidate, Looking, Source
from .evidence import Evidence
from .index import Index, RealPaths
from .inventory import Inventory, Process, Service, Site
from .memory import Memory, Remembered
from .ownership import stranger, with_own_data
from .pid_file import process_of
from .processes import Processes, find_processes
from .rows import is_gone, row_of, served_alone, source_of
from .services import ServiceReader, process_file, with_given
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
        self._find = find or partial(find_processes, looking=self.looking)
        self._hosts, self._host = hosts, host
        self._reader = ServiceReader(self.looking)
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

    def _gather(self, processes: Processes) -> "_Gathering":
        self.looking("the state file")
        remembered = self._memory.load() if self._discover else ()
        known = [_declared_source(s) for site in self._declared.values() for s in site.services]
        evidence = Evidence(self._reader, [*known, *map(source_of, remembered)])
        sources = [*processes.sources, *evidence.sources(processes.holders)]
        gathering = _Gathering(self._reader, sources, self.looking)
        gathering.problems += evidence.problems
        for site in self._declared.values():
            gathering.add_declared(site, remembered)
        if self._discover:
            gathering.add_remembered(remembered)
            gathering.add_elsewhere(self._elsewhere)
            gathering.add_running()
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


class _Gathering:
    """What runs, is declared and is remembered, each service once.

    Add what is declared first, then what is remembered.
    """

    def __init__(self, reader: ServiceReader, sources: Iterable[Source], looking: Looking) -> None:
        self.problems: list[str] = []
        self.forgotten: list[Remembered] = []
        self._reader = reader
        self._looking = looking
        self._paths = RealPaths(looking)
        self._gathered = Index(self._paths)
        self._running = Index(self._paths, self._own(map(reader.read, sources)))

    @property
    def candidates(self) -> Sequence[Candidate]:
        """What was gathered, in the order in which it was added."""
        return self._gathered.candidates

    def _own(self, running: Iterable[Candidate]) -> Iterator[Candidate]:
        for found in filter(_is_zope_or_zeo, running):
            self._looking(found.service.config or found.service.wsgi_ini)
            told = stranger(found)
            if told is None:
                yield with_own_data(found)
            else:
                self.problems.append(told)

    def add_declared(self, site: Site, remembered: Sequence[Remembered]) -> None:
        for given in site.services:
            found = self._found_declared(given)
            # What the configuration names needs no owner to vouch for it.
            whole = self._reader.read(found.source).service
            found = replace(found, service=replace(found.service, databases=whole.databases))
            found = replace(found, service=with_given(given, found.service))
            names = (row.name for row in remembered if self._is(found, row))
            name = given.name or next(names, "")
            self._gathered.add(replace(found, site=site.name, name=name, declared=True))

    def add_remembered(self, rows: Iterable[Remembered]) -> None:
        for row in rows:
            found = with_own_data(self._found(source_of(row)))
            service = found.service
            known = self._known(service)
            if known is None and (service.process or not is_gone(service)):
                self._gathered.add(replace(found, site=row.site, name=row.name, row=row))
            elif known is None or not known.declared:
                self.forgotten.append(row)

    def add_elsewhere(self, last: Iterable[Candidate]) -> None:
        """Add what was seen in other containers, which keeps its names when one is made anew.

        Nothing of a container that has gone can be read, so that only the last search knows of it.
        """
        for earlier in sorted(last, key=lambda each: not self._runs(each)):
            now = next(
                (each for each in self._running.candidates if self._succeeds(each, earlier)), None
            )
            found = now or _ended(earlier)
            self._gathered.add(replace(found, site=earlier.site, name=earlier.name))

    def _runs(self, earlier: Candidate) -> bool:
        return any(found.source.root == earlier.source.root for found in self._running.candidates)

    def _succeeds(self, found: Candidate, earlier: Candidate) -> bool:
        now, then = found.source, earlier.source
        is_same = (now.kind, now.config, now.wsgi_ini) == (then.kind, then.config, then.wsgi_ini)
        return is_same and now.root is not None and self._known(found.service) is None

    def add_running(self) -> None:
        for found in self._running.candidates:
            if self._known(found.service) is None:
                self._gathered.add(found)

    def _found_declared(self, given: Service) -> Candidate:
        file = process_file(given)
        process, problems = self._process_of(file) if file else (None, ())
        source = replace(_declared_source(given), process=process)
        found = _with_problems(self._found(source), problems)
        if process and _pid(found.service) != process.pid:
            # Of two that run from the same files it is the one that was named.
            found = replace(found, service=replace(found.service, process=process))
        return found

    def _found(self, source: Source) -> Candidate:
        """The service as it runs now, else as its files describe it."""
        sought = self._reader.read(source)
        running = self._running_as(sought)
        if running is not None:
            is_it = self._paths.of_one_file(running.service.config, source.config)
            if not source.by_hand or is_it or running.source.root:
                return running
            return self._reader.read(replace(running.source, config=source.config, by_hand=True))
        service = sought.service
        if service.process is None and service.pid_file is not None:
            # Of a process that may not be looked into, the file still tells that it runs.
            process, problems = self._process_of(service.pid_file, service.kind)
            return _with_problems(
                replace(sought, service=replace(service, process=process)), problems
            )
        return sought

    def _running_as(self, sought: Candidate) -> Candidate | None:
        """What runs of the files of a service; of several, the process that it is known to be."""
        same = [
            each
            for each in self._running.like(sought.service, sought.source)
            if self._is(sought, each.service) or _is_named(each.source, sought.source)
        ]
        pid = _pid(sought.service)
        return min(same, key=lambda each: _pid(each.service) != pid, default=None)

    def _process_of(
        self, pid_file: Path, kind: str | None = None
    ) -> tuple[Process | None, tuple[str, ...]]:
        self._looking(pid_file)
        try:
            return process_of(pid_file, kind), ()
        except ForeignFileError as error:
            return None, (str(error),)

    def _known(self, service: Service) -> Candidate | None:
        return next((e for e in self._gathered.like(service) if self._is(e, service)), None)

    def _is(self, candidate: Candidate, other: Service | Remembered) -> bool:
        """Whether they are of one configuration file, by whichever path, or one process."""
        one = candidate.service
        if one.kind != other.kind:
            return False
        # By number alone: psutil tells another start of the same process once the clock was set.
        if isinstance(other, Service) and one.process and one.process.pid == _pid(other):
            return True
        # With a zope.conf given by hand it does not matter which one the ini file names.
        if candidate.source.by_hand and self._paths.of_one_file(one.wsgi_ini, other.wsgi_ini):
            return True
        if one.config and other.config:
            return self._paths.of_one_file(one.config, other.config)
        if one.kind == "zeo":
            return self._paths.of_one_file(served_alone(one), served_alone(other))
        return self._paths.of_one_file(one.wsgi_ini, other.wsgi_ini)


def _declared_source(given: Service) -> Source:
    by_hand = given.config is not None
    return Source(given.kind, given.config, given.wsgi_ini, by_hand=by_hand)


def _is_zope_or_zeo(found: Candidate) -> bool:
    """Whether it is one of ours: a server of any application has one that names a zope.conf."""
    return not found.source.of_any_application or found.service.config is not None


def _is_named(found: Source, sought: Source) -> bool:
    """Whether a configuration in another container is named as it is called there."""
    if found.root is None or found.kind != sought.kind:
        return False
    if sought.wsgi_ini:
        return found.wsgi_ini == sought.wsgi_ini
    return sought.config is not None and found.config == sought.config


def _ended(earlier: Candidate) -> Candidate:
    """What is left of a service whose files have gone with its process."""
    service = replace(
        earlier.service,
        process=None,
        databases=(),
        access_log=None,
        event_log=None,
        more_event_logs=(),
        agent_home=None,
        problems=(),
    )
    return replace(earlier, service=service)


def _with_problems(candidate: Candidate, problems: tuple[str, ...]) -> Candidate:
    told = tuple(dict.fromkeys((*candidate.service.problems, *problems)))
    return replace(candidate, service=replace(candidate.service, problems=told))


def _pid(service: Service) -> int | None:
    return service.process.pid if service.process else None
