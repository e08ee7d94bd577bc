"""The sections of a file in ZConfig's syntax."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class Unresolved(str):
    """A value that refers to an undefined name: kept as written, but no path, number or address."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A section and those within it; the file itself is a section without type and name.

    `places` tells the file and line of each key. `files` are all files read, of the file only.
    """

    type: str
    name: str
    values: Mapping[str, tuple[str, ...]] = field(repr=False)  # may hold passwords
    sections: tuple["Section", ...] = ()
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    files: tuple[Path, ...] = ()

    def value(self, key: str) -> str | None:
        """The last value of a key."""
        return self.values.get(key, (None,))[-1]

    def find(self, type: str) -> tuple["Section", ...]:  # noqa: A002  (what ZConfig calls it)
        """The sections of a type directly within this one."""
        return tuple(section for section in self.sections if section.type == type)

    def where(self, key: str) -> str:
        """Which key this is, for a message."""
        inside = f" in <{self.type} {self.name}".rstrip() + ">" if self.type else ""
        return f"{self.places[key]}: {key}{inside}"
