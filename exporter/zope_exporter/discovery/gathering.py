"""What runs, is declared and is remembered, put together so that each service is there once."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from zope_exporter.system.foreign_file import ForeignFileError

from .candidate import Candidate, Source
from .conf.values import instance_directory
from .index import Index, RealPaths
from .inventory import Process, Service, Site
from .looking import HangsError, LastKnown, Looking
from .memory import Remembered
from .ownership import stranger, with_own_data
from .pid_file import process_of
from .rows import is_gone, served_alone, source_of
from .services import ServiceReader, process_file, with_given
from .told import with_told


class Gathering:
    """What runs, is declared and is remembered, each service once.

    Add what is declared first, then what is remembered.
    """

    def __init__(
        self,
        reader: ServiceReader,
        sources: Iterable[Source],
        looking: Looking,
        last: LastKnown[Candidate | str],
    ) -> None:
        """`last` has how each service was described the last time that its files answered."""
        self.problems: list[str] = []
        self.forgotten: list[Remembered] = []
        self._reader = reader
        self._looking = looking
        self._last = last
        self._paths = RealPaths(looking)
        self._gathered = Index(self._paths)
        self._running = Index(self._paths, self._own(sources))

    @property
    def candidates(self) -> Sequence[Candidate]:
        """What was gathered, in the order in which it was added."""
        return self._gathered.candidates

    def _own(self, sources: Iterable[Source]) -> Iterator[Candidate]:
        for source in sources:
            found = self._judged_or_last(source)
            if not isinstance(found, str):
                yield found
            elif found:
                self.problems.append(found)

    def _judged_or_last(self, source: Source) -> Candidate | str:
        key = source.kind, source.root, source.config, source.wsgi_ini
        try:
            found, told = self._last.of(key, lambda: self._judged(source))
        except HangsError as error:
            return _with_problems(_by_name(source), (str(error),))
        if not told or isinstance(found, str):
            return found
        if found.source.process != source.process:
            # Nothing starts with files that hang, so that this only pretends to.
            return told
        return _with_problems(found, (told,))

    def _judged(self, source: Source) -> Candidate | str:
        """What runs with these files, or why it is not watched: "" for no server of ours."""
        found = self._reader.read(source)
        if not _is_zope_or_zeo(found):
            return ""
        told = stranger(found, self._looking)
        return with_own_data(found, self._looking) if told is None else told

    def add_declared(self, site: Site, remembered: Sequence[Remembered]) -> None:
        for given in site.services:
            by_name = _by_name(declared_source(given))
            by_name = replace(by_name, service=with_given(given, by_name.service))
            found = self._or_last(partial(self._declared, given), given, by_name)
            names = (row.name for row in remembered if self._is(found, row))
            name = given.name or next(names, "")
            self._gathered.add(replace(found, site=site.name, name=name, declared=True))

    def add_remembered(self, rows: Iterable[Remembered]) -> None:
        for row in rows:
            found = self._or_last(partial(self._remembered, row), row, _by_name(source_of(row)))
            service = found.service
            known = self._known(service)
            if known is None and (service.process or not is_gone(service, self._looking)):
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

    def _or_last(
        self, find: Callable[[], Candidate], key: Hashable, by_name: Candidate
    ) -> Candidate:
        """What is found; of files that hang what they said the last time, or their names alone."""
        try:
            found, told = self._last.of(key, find)
        except HangsError as error:
            found, told = by_name, str(error)
        if not told or isinstance(found, str):
            return by_name if isinstance(found, str) else found
        running = self._running_as(found)
        process = running.service.process if running else self._known_by_file(found.service)
        found = replace(found, service=replace(found.service, process=process))
        return _with_problems(found, (told,))

    def _known_by_file(self, service: Service) -> Process | None:
        """The process of a service, which may have files that hang, by its PID file if that does
        not."""
        file = process_file(service)
        if file is None or not self._looking.answers(file):
            return service.process
        return self._process_of(file)[0]

    def _remembered(self, row: Remembered) -> Candidate:
        return with_own_data(self._found(source_of(row)), self._looking)

    def _declared(self, given: Service) -> Candidate:
        found = self._found_declared(given)
        # What the configuration names needs no owner to vouch for it.
        whole = self._reader.read(found.source).service
        found = replace(found, service=replace(found.service, databases=whole.databases))
        return replace(found, service=with_given(given, found.service))

    def _found_declared(self, given: Service) -> Candidate:
        file = process_file(given)
        process, problems = self._process_of(file) if file else (None, ())
        source = replace(declared_source(given), process=process)
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
            # Of a process that may not be inspected, the file still tells that it runs.
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


def declared_source(given: Service) -> Source:
    by_hand = given.config is not None
    return Source(given.kind, given.config, given.wsgi_ini, by_hand=by_hand)


def _by_name(source: Source) -> Candidate:
    """A service of which nothing is known but what its files are called."""
    file = source.config or source.wsgi_ini
    home = instance_directory(file) if file else None
    service = Service(source.kind, "", source.config, source.wsgi_ini, home, process=source.process)
    return Candidate(with_told(service, source) if source.data_fs else service, source)


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
