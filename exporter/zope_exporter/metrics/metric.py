"""Metric declarations, the samples they make, and the collectors that make them.

A metric is declared once, as a module constant beside the code that fills it, with its full name
in one string literal. Exposition, the README's reference and the naming lint read that declaration.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from operator import itemgetter
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from .failure import Source
from .native import NativeHistogram

Kind = Literal["counter", "gauge", "info", "histogram", "native histogram"]


@dataclass(frozen=True, eq=False)  # declared once, so that each equals itself only
class Metric:
    """One metric family: full name as exposed, kind, one sentence of help, label names."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    # Made once, as a page may have a hundred thousand samples: whether a call makes one, and what
    # takes the values of the labels, in their order, out of a dict.
    _is_plain: bool = field(init=False, repr=False)
    _in_order: Callable[[dict[str, str]], tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_is_plain", "histogram" not in self.kind)
        object.__setattr__(self, "_in_order", _taker(self.labels))

    def __call__(self, value: float = 1.0, **labels: str) -> "Sample":
        """Make a sample of this metric, which is no histogram.

        Raises LabelError unless exactly the declared labels are given, and all of them as text.
        """
        if not self._is_plain:
            raise LabelError(f"{self.name} is a histogram, whose samples come together")
        values = self._values(labels)
        return tuple.__new__(Sample, (self, values, float(value), "", None, None))  # Sample(), fast

    def buckets(
        self, bounds: Sequence[float], counts: Sequence[float], total: float, **labels: str
    ) -> Iterator["Sample"]:
        """Make all samples of a histogram.

        `counts` are those of each bucket alone, one more than `bounds` for what exceeds the last
        bound; `total` is the sum of all that was observed. Raises LabelError as a call does, and
        ValueError if counts and bounds do not fit.
        """
        if self.kind != "histogram":
            raise LabelError(f"{self.name} is no histogram")
        values = self._values(labels)
        reached = list(accumulate(counts))
        for bound, count in zip([*bounds, inf], reached, strict=True):
            yield Sample(self, values, float(count), "_bucket", float(bound))
        yield Sample(self, values, float(total), "_sum")
        yield Sample(self, values, float(reached[-1]), "_count")

    def native(self, histogram: NativeHistogram, **labels: str) -> "Sample":
        """Make the one sample of a native histogram; raises LabelError as a call does."""
        if self.kind != "native histogram":
            raise LabelError(f"{self.name} is no native histogram")
        return Sample(self, self._values(labels), float(histogram.count), native=histogram)

    def _values(self, labels: dict[str, str]) -> tuple[str, ...]:
        try:
            values = self._in_order(labels)
            if len(values) != len(labels):
                raise KeyError
        except KeyError:
            known = self.labels
            raise LabelError(f"{self.name} takes the labels {known}, not {tuple(labels)}") from None
        try:
            # Nearly always nothing is left to do, of tens of thousands of samples a scrape.
            plain = "".join(values).isascii()
        except TypeError:
            kinds = ", ".join(type(value).__name__ for value in values)
            raise LabelError(f"{self.name} got label values of the types {kinds}") from None
        return values if plain else tuple(map(encodable, values))


def _taker(labels: tuple[str, ...]) -> Callable[[dict[str, str]], tuple[str, ...]]:
    """What returns the values of these labels, and raises KeyError where one is missing."""
    if len(labels) > 1:
        return itemgetter(*labels)
    return lambda values: tuple([values[label] for label in labels])


class Sample(NamedTuple):
    """One value of one series; `labels` are the values in the order of `metric.labels`.

    Those of a histogram have a `suffix`, and its buckets their upper bound. Of a native histogram
    the value is its count.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float
    suffix: str = ""
    bound: float | None = None
    native: NativeHistogram | None = None


class LabelError(ValueError):
    """A sample was made with other labels than its metric declares."""


def encodable(text: str) -> str:
    """Return a text without the lone surrogates that stand for undecodable bytes of a path.

    One of them would make a whole page unencodable.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Collector(Protocol):
    """Reads one kind of thing: `collect` is plain blocking code and either returns or raises."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...
    def collect(self) -> Iterable[Sample]: ...


@dataclass(frozen=True)
class Part:
    """One source of a collector that can fail or hang without the others, such as one Data.fs.

    It is named by its site and by what it is there, or by its site alone.
    """

    source: Source
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
