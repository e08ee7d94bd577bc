"""What follows a log hands over: whole lines, to something that counts what they say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

from zope_exporter.metrics.metric import Metric, Sample

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

UNPARSED_LINES = Metric(
    "zope_log_unparsed_lines_total",
    "counter",
    "Lines of the log that do not fit its format, or are longer than 1 MiB and were skipped.",
    ("site", "log"),
)


class LineCounter(Protocol):
    """Counts what the lines of one log say. Its methods are never called at the same time."""

    @property
    def metrics(self) -> Sequence[Metric]: ...

    def feed(self, block: bytes) -> None:
        """Count one or more whole lines, each ending in a newline; any bytes otherwise."""

    def skip(self) -> None:
        """Count a line that was too long to be read."""

    def save(self) -> Mapping[str, JSON]:
        """Return the counters and whatever else must survive a restart, small enough for JSON."""

    def load(self, state: Mapping[str, JSON]) -> None:
        """Go on from what `save` returned. Raises ValueError for anything else."""

    def samples(self, site: str, log: str) -> Iterator[Sample]:
        """Make the samples of now, labelled with the site and the log."""
