"""What a collector is: the one interface between what is read and the registry that runs it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .metric import Metric, Sample


class Collector(Protocol):
    """Reads one kind of thing: `collect` is plain blocking code and either returns or raises."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...
    def collect(self) -> Iterable[Sample]: ...


@dataclass(frozen=True)
class Part:
    """One source of a collector that can fail or hang without the others, such as one Data.fs."""

    source: str
    collect: Callable[[], Iterable[Sample]]


@runtime_checkable
class PartedCollector(Protocol):
    """A collector of several independent sources; `parts` itself must not block."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...
    def parts(self) -> Iterable[Part]: ...


AnyCollector = Collector | PartedCollector
