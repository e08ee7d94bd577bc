"""What is to be known before an action is begun: answers for people and programs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.system.humanize import duration

if TYPE_CHECKING:
    from zope_exporter.maintenance.backup.repository import Backup

Facts = Mapping[str, Any]


class Answer(NamedTuple):
    """One of the answers: `facts` in terms of JSON, None for what is unknown; `text` says it."""

    name: str
    text: str
    facts: Facts


@dataclass(frozen=True)
class Plan:
    """The answers about one action, and what it would be refused for, the first reason first."""

    answers: tuple[Answer, ...]
    refusals: tuple[RefusedError, ...] = ()

    def check(self) -> None:
        """Raise RefusedError where the action would."""
        for refusal in self.refusals:
            raise refusal

    def as_json(self) -> dict[str, Any]:
        """Return all of it, an object for each answer."""
        refusals = [
            {"code": each.code, "reason": each.reason, "remedy": each.remedy}
            for each in self.refusals
        ]
        told = {each.name: {"text": each.text, **each.facts} for each in self.answers}
        return {"allowed": not refusals, "refusals": refusals, **told}

    def told(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of each answer, and of each reason to refuse it."""
        for each in self.answers:
            yield each.name.replace("_", " "), each.text
        for refusal in self.refusals:
            yield "refused", refusal.advice

    def lines(self) -> Iterator[str]:
        """Yield the same, a line for each."""
        width = max((len(each.name) for each in self.answers), default=0)
        for name, text in self.told():
            yield f"{name.ljust(width)}  {text}"


def moment(seconds: float | None) -> str | None:
    """Return a time as it is shown and sent: with the zone of this host, to the second."""
    if seconds is None:
        return None
    local = datetime.fromtimestamp(seconds, timezone.utc).astimezone()
    return local.isoformat(timespec="seconds")


def proof_of(backup: "Backup", now: float) -> tuple[str | None, Facts]:
    """Return by what and how long ago a backup was proven to be good, None if it is not."""
    record = backup.record if backup.proven else None
    if record is None:
        return None, {"proven": None, "proven_by": None}
    level = record.level.word
    text = f"proven by {level} {duration(now - record.time)} ago"
    return text, {"proven": moment(record.time), "proven_by": level}


def refused(check: Callable[..., None], *given: Any) -> Iterator[RefusedError]:
    """Yield why a check is not passed, if it is not."""
    try:
        check(*given)
    except RefusedError as error:
        yield error
