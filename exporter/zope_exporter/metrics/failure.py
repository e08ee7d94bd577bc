"""What could not be read, and why: known by its structure, whatever the words are this time."""

from dataclasses import dataclass

from zope_exporter.system.trouble import Kind, kind_of

Source = tuple[str, ...]
"""What a collector reads, such as a site and a database of it; empty for the whole collector."""

LATE: Kind = ("no answer in time",)


@dataclass(frozen=True)
class Failure:
    """What a collector could not read, and why.

    Two of the same collector, source and kind are the same failure: the words of the reason may
    tell of seconds, sizes or processes that are others each time.
    """

    collector: str
    source: Source
    reason: str
    kind: Kind = ()

    def __str__(self) -> str:
        return f"{self.collector} {joined(self.source)}".rstrip() + f": {self.reason}"


def joined(source: Source) -> str:
    """Return a source for people; only for them, as a name may have a slash of its own."""
    return "/".join(filter(None, source))


def failure_of(collector: str, source: Source, error: BaseException) -> Failure:
    """Return the failure that an error is."""
    return Failure(collector, source, _reason(error), kind_of(error))


def _reason(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # an exception that cannot even say what it is must not cost the page
        return type(error).__name__
