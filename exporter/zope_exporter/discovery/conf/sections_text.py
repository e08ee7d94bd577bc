"""Sections as text that ZConfig reads again."""

from collections.abc import Iterator

from .section import Section, Unresolved


class UnresolvedError(Exception):
    """A value depends on a variable nobody knows: names the key."""


def as_text(section: Section, without: frozenset[str] = frozenset()) -> str:
    """Write a section with all that is in it, but the keys `without`. Raises UnresolvedError."""
    return "\n".join(_lines(section, without)) + "\n"


def _lines(section: Section, without: frozenset[str]) -> Iterator[str]:
    yield f"<{section.type} {section.name}".rstrip() + ">"
    for key, values in section.values.items():
        for value in values:
            if isinstance(value, Unresolved):
                raise UnresolvedError(f"{section.where(key)} refers to what is not defined")
            if key not in without:
                yield f"{key} {value.replace('$', '$$')}"
    for inner in section.sections:
        yield from _lines(inner, without)
    yield f"</{section.type}>"
