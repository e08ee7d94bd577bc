"""What an agent tells of the add-ons in its Zope: versions, and upgrade steps of profiles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .answer import Answer

MOST_DISTRIBUTIONS = 100
MOST_PROFILES = 2000
MOST_STEPS = 100
MOST_BROKEN = 20
LONGEST = 100
_INSTANCE = "instance"

Step = tuple[str | None, str]
"""The version that an upgrade step starts from, None for any, and the one that it leads to."""


@dataclass(frozen=True)
class Addons:
    """The versions of distributions, and the upgrade steps by profile; None if not told."""

    distributions: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Sequence[Step]] | None = None


def addons_of(answer: Answer) -> Addons:
    """Return what is told of add-ons, which older agents do not tell."""
    names = answer.keys(_INSTANCE, "distributions")[:MOST_DISTRIBUTIONS]
    versions = ((name, answer.text(_INSTANCE, "distributions", name)) for name in names)
    distributions = {_shown(name): _shown(version) for name, version in versions if version}
    if "upgrade_steps" not in answer.keys(_INSTANCE):
        return Addons(distributions)
    profiles = answer.keys(_INSTANCE, "upgrade_steps")[:MOST_PROFILES]
    steps = {_shown(profile): tuple(_steps(answer, profile)) for profile in profiles}
    return Addons(distributions, steps)


def broken_names(answer: Answer, of: Literal["broken_names", "broken_products"]) -> list[str]:
    """Return names of classes whose code is missing, or products, as many as may be shown."""
    count = min(answer.length(_INSTANCE, of) or 0, MOST_BROKEN)
    names = (answer.text(_INSTANCE, of, index) for index in range(count))
    return sorted({_shown(name) for name in names if name})


def waits(installed: str, steps: Sequence[Step]) -> bool:
    """Tell whether GenericSetup would list one of the steps for an installed version.

    Versions that are not numbers between dots are not compared.
    """
    now = _number(installed)
    if now is None:
        return False
    for source, dest in steps:
        first, last = None if source is None else _number(source), _number(dest)
        starts = source is None or (first is not None and first >= now)
        if starts and last is not None and last > now:
            return True
    return False


def _steps(answer: Answer, profile: str) -> Iterator[Step]:
    place = _INSTANCE, "upgrade_steps", profile
    for index in range(min(answer.length(*place) or 0, MOST_STEPS)):
        dest = answer.text(*place, index, 1)
        if dest:
            yield answer.text(*place, index, 0), dest


def _number(version: str) -> tuple[int, ...] | None:
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= LONGEST for part in parts):
        return None
    numbers = [int(part) for part in parts]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:LONGEST])
