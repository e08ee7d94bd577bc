"""What an agent answers: JSON from a process that may be broken, believed number by number."""

import binascii
import json
from typing import Any, NoReturn, TypeVar

PROTOCOL = 1
_LARGEST = 2.0**63
_LONGEST_TEXT = 4096
_MOST_PROBLEMS = 20
# Far more than any Zope has, and few enough to be label values.
MOST_DATABASES = 100
_LONGEST_NAME = 100
Step = str | int
T = TypeVar("T")


class AgentError(Exception):
    """An agent could not be asked, or gave no answer that can be used: says why, to people."""


class UnansweredError(AgentError):
    """An agent was asked, and gave no whole answer: whether it does what it was told is unknown."""


class Answer:
    """A JSON object from an agent.

    What is absent or null is unknown, and None here. What is there but cannot be is None too, and
    one of the `problems`: it costs only the values that would be wrong.
    """

    def __init__(self, body: bytes) -> None:
        """Raises AgentError for anything but a JSON object of our protocol."""
        try:
            document = json.loads(body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise AgentError("the agent's answer is not JSON") from None
        if not isinstance(document, dict):
            raise AgentError("the agent's answer is not a JSON object")
        _check_protocol(document.get("protocol"))
        self._document: dict[str, Any] = document
        self.problems: list[str] = []
        for part in self.keys("errors")[:_MOST_PROBLEMS]:
            self.problems.append(f"{_shown(part)}: {_shown(self.text('errors', part) or '')}")

    def number(self, *path: Step) -> float | None:
        """A number from 0 to 2**63."""
        return self._number(self._at(path), path)

    def flag(self, *path: Step) -> bool | None:
        """True or false."""
        return self._of_kind(bool, path, "is neither true nor false")

    def text(self, *path: Step) -> str | None:
        """A text of at most 4096 characters."""
        value = self._at(path)
        if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
            return value
        if value is not None:
            self._wrong(path, "is no text of reasonable length")
        return None

    def data(self, *path: Step) -> bytes | None:
        """Bytes, which are there as a text in base64."""
        value = self._of_kind(str, path, "is no text")
        if value is None:
            return None
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            self._wrong(path, "is not in base64")
            return None

    def keys(self, *path: Step) -> tuple[str, ...]:
        """The keys of an object, none if it is not there."""
        return tuple(self._of_kind(dict, path, "is no object") or ())

    def databases(self) -> tuple[str, ...]:
        """The names of the databases, as far as they can be names and not too many."""
        names = self.keys("databases")
        possible = [name for name in names if 0 < len(name) <= _LONGEST_NAME and name.isprintable()]
        if len(possible) < len(names):
            self.doubt("databases has a name that can be none")
        if len(possible) > MOST_DATABASES:
            self.doubt(f"databases are more than {MOST_DATABASES}")
        return tuple(possible[:MOST_DATABASES])

    def length(self, *path: Step) -> int | None:
        """How many items a list has."""
        value = self._of_kind(list, path, "is no list")
        return None if value is None else len(value)

    def numbers(self, *path: Step) -> list[float] | None:
        """The numbers of a list; None if one of them is none."""
        items = self._of_kind(list, path, "is no list")
        if items is None:
            return None
        found = [self._number(item, (*path, index)) for index, item in enumerate(items)]
        return None if None in found else [number for number in found if number is not None]

    def counts(self, *path: Step) -> dict[str, float]:
        """The numbers of an object by their names."""
        items = self._of_kind(dict, path, "is no object") or {}
        found = {name: self._number(item, (*path, name)) for name, item in items.items()}
        return {name: number for name, number in found.items() if number is not None}

    def doubt(self, problem: str) -> None:
        """Note what cannot be."""
        if len(self.problems) < _MOST_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def _number(self, value: Any, path: tuple[Step, ...]) -> float | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if 0 <= value <= _LARGEST:
                return float(value)
            self._wrong(path, "is a number that cannot be")
        elif value is not None:
            self._wrong(path, "is no number")
        return None

    def _of_kind(self, kind: type[T], path: tuple[Step, ...], problem: str) -> T | None:
        value = self._at(path)
        if isinstance(value, kind):
            return value
        if value is not None:
            self._wrong(path, problem)
        return None

    def _at(self, path: tuple[Step, ...]) -> Any:
        value: Any = self._document
        for step in path:
            if isinstance(value, dict):
                value = value.get(str(step))
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            elif value is not None:
                self._wrong(path, "is not where it should be")
                return None
        return value

    def _wrong(self, path: tuple[Step, ...], problem: str) -> None:
        self.doubt(f"{'.'.join(_shown(str(step)) for step in path)} {problem}")


def _check_protocol(protocol: object) -> None:
    if type(protocol) is not int or protocol != PROTOCOL:
        spoken = protocol if type(protocol) is int and 0 <= protocol < 1000 else "unknown"
        raise AgentError(
            f"the agent speaks protocol {spoken}, and zope-exporter speaks {PROTOCOL}:"
            " zope-exporter agent install, and restart Zope"
        )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:200])
