"""Finding what may be one service without comparing each with each other.

A host may have hundreds of them, and each comparison would resolve the links of two paths anew.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from .candidate import Candidate, Source, real
from .inventory import Service
from .looking import Looking
from .memory import Remembered
from .rows import served_alone

_Key = tuple[str, str, Path | int]


class RealPaths:
    """Resolves the links of each path once; what is done with them must not last long."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self._known: dict[Path, Path] = {}

    def __call__(self, path: Path) -> Path:
        known = self._known.get(path)
        if known is None:
            # By its name it is known again as long as it hangs.
            known = self._known[path] = real(path) if self._looking.answers(path) else path
        return known

    def of_one_file(self, one: Path | None, other: Path | None) -> bool:
        """Whether both are there and lead to one file."""
        return one is not None and other is not None and self(one) == self(other)


class Index:
    """Candidates in the order in which they were added, by their processes and files."""

    def __init__(self, paths: RealPaths, candidates: Iterable[Candidate] = ()) -> None:
        self.candidates: list[Candidate] = []
        self._paths = paths
        self._places: dict[_Key, list[int]] = {}
        for each in candidates:
            self.add(each)

    def add(self, candidate: Candidate) -> None:
        for key in set(self._keys(candidate.service, candidate.source)):
            self._places.setdefault(key, []).append(len(self.candidates))
        self.candidates.append(candidate)

    def like(
        self, service: Service | Remembered, source: Source | None = None
    ) -> Iterator[Candidate]:
        """Yield all with a file or the process of a service; with `source`, those named so too."""
        keys = self._keys(service, source)
        places = {place for key in keys for place in self._places.get(key, ())}
        return (self.candidates[place] for place in sorted(places))

    def _keys(self, service: Service | Remembered, source: Source | None) -> Iterator[_Key]:
        kind = service.kind
        if isinstance(service, Service) and service.process:
            yield kind, "process", service.process.pid
        for file in (service.config, service.wsgi_ini, served_alone(service)):
            if file is not None:
                yield kind, "file", self._paths(file)
        for name in (source.config, source.wsgi_ini) if source else ():
            if name is not None:
                yield kind, "name", name
