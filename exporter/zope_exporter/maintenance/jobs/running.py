"""What the API needs of whatever runs the jobs."""

from collections.abc import Sequence
from typing import Any, Protocol


class Job(Protocol):
    """A job, running or ended."""

    @property
    def id(self) -> int: ...
    def as_json(self) -> dict[str, Any]: ...


class Submission(Protocol):
    """What became of a request for a job: a job, or a refusal by its code and in words."""

    @property
    def job(self) -> Job | None: ...
    @property
    def refusal(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Runner(Protocol):
    """Runs one job at a time for each database. Raises StateError if nothing can be kept of it."""

    def targets(self, action: str) -> Sequence[tuple[str, str]]:
        """Return the site and database of everything the action can be done to."""

    def submit(self, action: str, site: str, database: str, origin: str) -> Submission:
        """Begin a job and return at once."""

    def jobs(self) -> Sequence[Job]:
        """Return the jobs that are remembered, the newest first."""

    def job(self, number: int) -> Job | None:
        """Return one of them."""


class TargetError(Exception):
    """A request or an alert does not tell which database is meant."""


class UnknownTargetError(TargetError):
    """It names one that the action is not configured for."""


def choose_target(
    targets: Sequence[tuple[str, str]], site: str | None, database: str | None
) -> tuple[str, str]:
    """Return the one target that is meant; what is not named may be left out if only one fits.

    Raises TargetError, whose text holds no more of the request than that something was in it.
    """
    fitting = [
        target for target in targets if site in {None, target[0]} and database in {None, target[1]}
    ]
    if not fitting:
        named = " and ".join(what for what, name in _named(site, database) if name is not None)
        known = f"no such {named}" if named else "no database is configured for this"
        raise UnknownTargetError(known)
    if len(fitting) > 1:
        missing = " and ".join(what for what, name in _named(site, database) if name is None)
        raise TargetError(f"several databases could be meant; name the {missing}")
    return fitting[0]


def _named(site: str | None, database: str | None) -> tuple[tuple[str, str | None], ...]:
    return ("site", site), ("database", database)
