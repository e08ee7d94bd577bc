"""Bringing together what runs, what is declared and what is remembered, each service once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zope_exporter.system.foreign_file import ForeignFileError

from .declared import Declared, DeclaredService
from .inventory import Process, Service
from .looking import Looking
from .memory import Remembered
from .pid_file import process_of
from .services import ServiceReader
from .sites import Member
from .source import Source, real


@dataclass(frozen=True)
class Candidate:
    """A member of some site to be, and where it was read from."""

    member: Member
    source: Source
    environ: dict[str, str] = field(repr=False)
    row: Remembered | None = None


class Gathering:
    """The services of one search. Add what is declared first, then what is remembered."""

    def __init__(
        self, reader: ServiceReader, sources: Iterable[Source], looking: Looking | None = None
    ) -> None:
        self.candidates: list[Candidate] = []
        self.forgotten: list[Remembered] = []
        self._reader = reader
        self._looking = looking or Looking()
        self._running = [self._read(source) for source in sources]

    def add_declared(self, site: Declared, remembered: Sequence[Remembered]) -> None:
        for declared in site.services:
            found = self._found_declared(declared)
            service = declared.over(found.member.service)
            names = (row.name for row in remembered if self._same(service, row))
            member = Member(service, site.site, declared.name or next(names, ""), declared=True)
            self.candidates.append(replace(found, member=member))

    def add_remembered(self, rows: Iterable[Remembered]) -> None:
        for row in rows:
            found = self._found(_source(row))
            service = found.member.service
            known = self._known(service)
            if known is None and (service.process or not _is_gone(service)):
                member = Member(service, row.site, row.name)
                self.candidates.append(replace(found, member=member, row=row))
            elif known is None or not known.member.declared:
                self.forgotten.append(row)

    def add_running(self) -> None:
        for found in self._running:
            if self._known(found.member.service) is None:
                self.candidates.append(found)

    def _found_declared(self, declared: DeclaredService) -> Candidate:
        told = declared.process_file
        process, problems = self._process_of(told) if told else (None, ())
        sought = Source(declared.kind, declared.config, declared.wsgi_ini, process=process)
        return _with_problems(self._found(sought), problems)

    def _read(self, source: Source) -> Candidate:
        reading = self._reader.read(source)
        return Candidate(Member(reading.service), source, reading.environ)

    def _found(self, source: Source) -> Candidate:
        """The service as it runs now, else as its files describe it."""
        sought = self._read(source)
        service = sought.member.service
        for found in self._running:
            if self._same(found.member.service, service):
                return found
        if service.process is None and service.pid_file is not None:
            # Of a process that may not be looked into, the file still tells that it runs.
            process, problems = self._process_of(service.pid_file, service.kind)
            service = replace(service, process=process)
            return _with_problems(replace(sought, member=Member(service)), problems)
        return sought

    def _process_of(
        self, pid_file: Path, kind: str | None = None
    ) -> tuple[Process | None, tuple[str, ...]]:
        self._looking(pid_file)
        try:
            return process_of(pid_file, kind), ()
        except ForeignFileError as error:
            return None, (str(error),)

    def _known(self, service: Service) -> Candidate | None:
        known = (each for each in self.candidates if self._same(each.member.service, service))
        return next(known, None)

    def _same(self, one: Service, other: Service | Remembered) -> bool:
        self._looking(other.config or other.wsgi_ini)
        return _same(one, other)


def _with_problems(candidate: Candidate, problems: tuple[str, ...]) -> Candidate:
    if not problems:
        return candidate
    service = candidate.member.service
    told = tuple(dict.fromkeys((*service.problems, *problems)))
    service = replace(service, problems=told)
    return replace(candidate, member=replace(candidate.member, service=service))


def _same(one: Service, other: Service | Remembered) -> bool:
    """Whether they are of one configuration file, by whichever path, or one process."""
    if one.kind != other.kind:
        return False
    # By number alone: psutil tells another start of the same process once the clock was set.
    if isinstance(other, Service) and one.process and one.process.pid == _pid(other):
        return True
    if one.config and other.config:
        return real(one.config) == real(other.config)
    if one.wsgi_ini and other.wsgi_ini:
        return real(one.wsgi_ini) == real(other.wsgi_ini)
    return False


def _pid(service: Service) -> int | None:
    return service.process.pid if service.process else None


def _source(row: Remembered) -> Source:
    return Source(
        row.kind, row.config, row.wsgi_ini, row.variables, dict(row.environ), row.directory
    )


def _is_gone(service: Service) -> bool:
    """Whether its configuration is no more; where that cannot be seen, it is kept."""
    file = service.config or service.wsgi_ini
    try:
        return file is None or not file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
