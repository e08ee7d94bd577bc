"""Files in ZConfig's syntax, read without the schema: any section type and any key will do."""

import io
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ZConfig
from ZConfig.cfgparser import ZConfigParser
from ZConfig.schemaless import Resource

from .config_file import MAX_BYTES, ConfigFileError, read_text, seen

MAX_DEPTH = 64
MAX_FILES = 50

_CASE_SENSITIVE = frozenset({"environment", "cgi-environment"})
_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"
_REFERENCE = re.compile(
    rf"\$(?:(?P<dollar>\$)|(?P<bare>{_NAME})|\{{(?P<braced>{_NAME})\}}|\((?P<env>{_NAME})\))?"
)
_SCHEME = re.compile("[a-zA-Z][-+.a-zA-Z0-9]+:")


class Unresolved(str):
    """A value that refers to an undefined name: kept as written, but no path, number or address."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A section and those within it; the file itself is a section without type and name.

    `positions` tells the file and line of each key. `files` are all files read, of the file only.
    """

    type: str
    name: str
    values: Mapping[str, tuple[str, ...]] = field(repr=False)  # may hold passwords
    sections: tuple["Section", ...] = ()
    positions: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
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
        return f"{self.positions[key]}: {key}{inside}"


def read(
    path: Path, environ: Mapping[str, str] = {}, root: Path | None = None
) -> tuple[Section, tuple[str, ...]]:
    """The sections of a file and of what it includes, and what is wrong with them.

    `environ` is the environment of the process that the file belongs to, `root` its root if that
    is not ours. Raises ConfigFileError.
    """
    path = path.absolute()
    context = _Context(environ, root)
    top = _OpenSection("", "", 0)
    context.parse(path, read_text(path, context.problems, root), top, {})
    if context.missing:
        context.problems.append(
            f"{path}: not seen in the environment of its process: "
            f"{', '.join(sorted(context.missing))}; "
            "set it where the process is started, or let the exporter's user see it"
        )
    return top.closed(tuple(context.files)), tuple(dict.fromkeys(context.problems))


class _OpenSection:
    """A section whose end has not been read yet."""

    def __init__(self, kind: str, name: str, depth: int) -> None:
        self.kind = kind
        self.name = name
        self.depth = depth
        self.sections: list[Section] = []
        self._values: dict[str, list[str]] = {}
        self._positions: dict[str, str] = {}

    def addValue(self, key: str, value: str, position: tuple[int, object, str]) -> None:  # noqa: N802
        if self.kind not in _CASE_SENSITIVE:
            key = key.lower()
        self._values.setdefault(key, []).append(value)
        self._positions[key] = f"{position[2]}, line {position[0]}"

    def closed(self, files: tuple[Path, ...] = ()) -> Section:
        values = {key: tuple(values) for key, values in self._values.items()}
        return Section(self.kind, self.name, values, tuple(self.sections), self._positions, files)


class _Context:
    """What ZConfig calls the context: shared by a file and all that it includes."""

    def __init__(self, environ: Mapping[str, str], root: Path | None) -> None:
        self.environ = environ
        self.root = root
        self.problems: list[str] = []
        self.missing: set[str] = set()
        self.files: list[Path] = []
        self._including: list[str] = []
        self._included = 0
        self._characters = 0

    def parse(self, path: Path, text: str, section: _OpenSection, defines: dict[str, str]) -> None:
        real = os.path.realpath(path) if self.root is None else str(seen(path, self.root))
        if real in self._including:
            raise ConfigFileError(path, "includes itself; remove one of the %include lines")
        self.files.append(path)
        self.spend(path, len(text))
        self._including.append(real)
        _Parser(Resource(io.StringIO(text), str(path)), self, defines).parse(section)
        self._including.pop()

    def count_include(self, path: Path) -> None:
        """Keep a file of thousands of %include lines from taking hours, also if each is refused."""
        self._included += 1
        if self._included >= MAX_FILES:
            raise ConfigFileError(path, f"more than {MAX_FILES} files are included; include fewer")

    def spend(self, path: Path, characters: int) -> None:
        """Keep names that expand to names that expand to names from filling the memory."""
        self._characters += characters
        if self._characters > MAX_BYTES:
            raise ConfigFileError(
                path, f"larger than {MAX_BYTES} bytes with all %include and %define; shorten it"
            )

    def startSection(self, container: _OpenSection, kind: str, name: str | None) -> _OpenSection:  # noqa: N802
        if container.depth == MAX_DEPTH:
            raise ZConfig.ConfigurationError(f"sections nested deeper than {MAX_DEPTH}")
        return _OpenSection(kind, name or "", container.depth + 1)

    def endSection(self, container: _OpenSection, *opened: Any) -> None:  # noqa: N802
        container.sections.append(opened[-1].closed())

    def importSchemaComponent(self, package: str) -> None:  # noqa: N802
        """Packages matter to the schema only, and there is none."""


class _Parser(ZConfigParser):  # type: ignore[misc]  # ZConfig has no types
    """ZConfig's parser, but for what it does with undefined names and with other files."""

    def replace(self, text: str) -> str:
        kind: type[str] = str

        def expand(match: re.Match[str]) -> str:
            nonlocal kind
            value = self._meaning(match)
            if value is None or isinstance(value, Unresolved):
                kind = Unresolved
            value = match[0] if value is None else value
            self.context.spend(Path(self.url), len(value))
            return value

        expanded = _REFERENCE.sub(expand, text)
        return kind(expanded)

    def _meaning(self, match: re.Match[str]) -> str | None:
        if match["dollar"]:
            return "$"
        if match["env"]:
            value = self.context.environ.get(match["env"])
            if value is None:
                self.context.missing.add(match["env"])
        elif name := match["bare"] or match["braced"]:
            value = self.defines.get(name.lower())
            if value is None:
                # Not quoted: it may be half a password whose $ should have been $$.
                self.problem("a name after $ is not defined; add %define, or write $$")
        else:
            value = None
            self.problem("a $ without a name; write $$ for a dollar sign")
        return value  # type: ignore[no-any-return]

    def handle_include(self, section: _OpenSection, rest: str) -> None:
        target = self.replace(rest)
        if isinstance(target, Unresolved):
            return
        if _SCHEME.match(target) and not target.startswith("file:"):
            self.problem("only local files can be included here; copy what it holds into this file")
            return
        try:
            url = urllib.parse.urlsplit(urllib.parse.urljoin(Path(self.url).as_uri(), target))
            path = Path(urllib.request.url2pathname(url.path))
        except ValueError:
            self.problem("not a possible file name; correct %include")
            return
        self.context.count_include(path)
        try:
            text = read_text(path, self.context.problems, self.context.root)
        except ConfigFileError as error:
            self.problem(f"cannot be included: {error}")
        else:
            self.context.parse(path, text, section, self.defines)

    def problem(self, message: str) -> None:
        problem = f"{self.url}, line {self.lineno}: {message}"
        if self.context.problems[-1:] != [problem]:
            self.context.problems.append(problem)

    def error(self, message: str) -> None:
        # What ZConfig quotes in its messages comes from the file.
        reason = message.partition("'")[0].rstrip(": ")
        raise ConfigFileError(Path(self.url), f"line {self.lineno}: {reason}; correct the line")


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
