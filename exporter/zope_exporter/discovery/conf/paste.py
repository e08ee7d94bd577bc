"""Ini files in PasteDeploy's dialect, and what they build: applications, filters, a server."""

import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .config_file import ConfigFileError, read_text

_MAX_USES = 10
_MAX_FILES = 50
_APPLICATIONS = ("app", "application", "composite", "composit", "pipeline", "filter-app")
_HEADER = re.compile(r"\[(?P<name>.+)\]")
_DELIMITER = re.compile("[=:]")
_REFERENCE = re.compile(r"%%|%\((?P<name>[^()%]{1,100})\)s")
_MAX_EXPANSIONS = 100
_MAX_DEPTH = 10
_MAX_LENGTH = 64 * 1024


@dataclass(frozen=True)
class PasteIni:
    """An ini file; `problems` gathers what is wrong with those values that are asked for."""

    path: Path
    variables: Mapping[str, str] = field(repr=False)
    sections: Mapping[str, Mapping[str, str]] = field(repr=False)
    problems: list[str] = field(repr=False)

    def get(self, section: str, option: str) -> str | None:
        """A value with its variables filled in; None if one of them is unknown."""
        text = self.raw(section, option)
        try:
            return text if text is None else _Expansion(self, section).of(text)
        except _ExpansionError as error:
            self.problems.append(f"{self.path}: {option} in [{section}] {error}")
            return None

    def raw(self, section: str, option: str) -> str | None:
        """A value as written. The file's [DEFAULT] wins over variables of the command line."""
        for scope in (self.sections.get(section, {}), self.defaults, self.variables):
            if option in scope:
                return scope[option]
        return None

    @property
    def defaults(self) -> Mapping[str, str]:
        return self.sections.get("DEFAULT", {})


def read_paste_ini(
    path: Path, variables: Mapping[str, str], problems: list[str], root: Path | None = None
) -> PasteIni:
    """Read an ini file; raises ConfigFileError.

    configparser would do, but a hostile file keeps it busy for hours: its time grows with the
    square of the length of a line and of the number of lines it does not understand.
    """
    known = {**variables, "here": str(path.parent), "__file__": str(path)}
    sections: dict[str, dict[str, str]] = {}
    options: dict[str, str] | None = None
    for number, first, *more in _logical_lines(read_text(path, problems, root)):
        header = _HEADER.match(first)
        if header:
            options = sections.setdefault(_section_name(header["name"]), {})
            continue
        delimiter = _DELIMITER.search(first)
        if options is None or not delimiter or not delimiter.start():
            raise ConfigFileError(path, f"line {number}: no [section] or name = value; correct it")
        value = first[delimiter.end() :].strip()
        options[first[: delimiter.start()].rstrip()] = "\n".join([value, *more]).rstrip()
    return PasteIni(path, known, sections, problems)


def _section_name(header: str) -> str:
    kind, colon, name = header.partition(":")
    return f"{kind}{colon}{name.strip()}"


def _logical_lines(text: str) -> Iterator[tuple[str, ...]]:
    """Number and text of each line with the text of the deeper indented lines that follow it."""
    logical: list[str] = []
    indent = 0
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        content = line.strip()
        if content.startswith(("#", ";")):
            continue
        line_indent = len(line) - len(line.lstrip())
        is_option = bool(logical) and not _HEADER.match(logical[1])
        if is_option and (not content or line_indent > indent):
            logical.append(content)
        elif content:
            if logical:
                yield tuple(logical)
            logical, indent = [str(number), content], line_indent
    if logical:
        yield tuple(logical)


class _ExpansionError(ValueError):
    pass


class _Expansion:
    """Fills in the variables of one value, a bounded number of times."""

    def __init__(self, ini: PasteIni, section: str) -> None:
        self._ini = ini
        self._section = section
        self._left = _MAX_EXPANSIONS

    def of(self, text: str, depth: int = 0) -> str:
        if depth > _MAX_DEPTH or len(text) > _MAX_LENGTH:
            raise _ExpansionError("expands without end; shorten it")

        def value(match: re.Match[str]) -> str:
            return self._value(match["name"], depth) if match["name"] else "%"

        return _REFERENCE.sub(value, text)

    def _value(self, name: str, depth: int) -> str:
        self._left -= 1
        text = self._ini.raw(self._section, name)
        if text is None:
            raise _ExpansionError(
                f"uses %({name})s, which is not defined; add it to [DEFAULT] or the command line"
            )
        if self._left < 0:
            raise _ExpansionError("expands without end; shorten it")
        return self.of(text, depth + 1)


@dataclass(frozen=True)
class Component:
    """One section and those it builds upon with `use`, which it overrides.

    `use` is the code at the end of that chain, such as `egg:Zope#main`; "" if the section names
    its factory in another way.
    """

    kind: str
    name: str
    use: str
    sections: tuple[tuple[PasteIni, str], ...]

    def get(self, option: str) -> str | None:
        """An option of the component itself, not of [DEFAULT]."""
        for ini, section in self.sections:
            if option in ini.sections[section]:
                return ini.get(section, option)
        return None

    def get_global(self, option: str) -> str | None:
        """What its factory is given beside its own options: the command line wins here."""
        for ini, section in self.sections:
            if f"set {option}" in ini.sections[section]:
                return ini.get(section, f"set {option}")
        for ini, _ in self.sections:
            return ini.variables.get(option, ini.get("DEFAULT", option))
        return None


class Paste:
    """An ini file with those that it uses."""

    def __init__(
        self,
        path: Path,
        variables: Mapping[str, str],
        problems: list[str],
        root: Path | None = None,
    ) -> None:
        self.problems = problems
        self.main = read_paste_ini(path, variables, problems, root)
        self._root = root
        self._files = {path: self.main}

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self._files)

    def server(self) -> Component | None:
        return self._component(self.main, ("server",), self.main.variables.get("#server", "main"))

    def pipeline(self) -> tuple[Component, ...]:
        """The filters from the outermost inwards, then the application; empty without one."""
        return tuple(self._pipeline(self.main.variables.get("#app", "main")))

    def applications(self) -> Iterator[Component]:
        """All applications of the main file, whatever leads to them."""
        for section in self.main.sections:
            kind, _, name = section.partition(":")
            component = self._component(self.main, (kind,), name) if kind in _APPLICATIONS else None
            if component is not None:
                yield component

    def _pipeline(self, name: str) -> Iterator[Component]:
        ini = self.main
        for _ in range(_MAX_USES):
            component = self._component(ini, _APPLICATIONS, name)
            if component is None:
                return
            ini = component.sections[-1][0] if component.sections else ini
            yield from self._filters(ini, (component.get("filter-with") or "").split())
            if component.kind == "pipeline":
                *filters, name = (component.get("pipeline") or "").split() or [""]
                yield from self._filters(ini, filters)
            elif component.kind == "filter-app" and component.get("next"):
                yield component
                name = component.get("next") or ""
            else:
                yield component
                return

    def _filters(self, ini: PasteIni, names: list[str]) -> Iterator[Component]:
        for name in names:
            component = self._component(ini, ("filter",), name)
            if component is not None:
                yield component

    def _component(self, ini: PasteIni, kinds: tuple[str, ...], name: str) -> Component | None:
        """Follow `use` to its end."""
        sections: list[tuple[PasteIni, str]] = []
        found, kind, use = name, "", name
        while len(sections) < _MAX_USES:
            if use.startswith("config:"):
                ini, use = self._other(ini, use)
            elif ":" in use:
                break
            section = _find(ini, kinds, use)
            if section is None:
                self.problems.append(f"{ini.path}: no section for {kinds[0]} {use}; add one")
                return None
            kind = section.partition(":")[0]
            sections.append((ini, section))
            use = ini.get(section, "use") or ""
            if not use:
                break
        else:
            raise ConfigFileError(ini.path, f"[{section}] uses itself; correct its use")
        return Component(kind or kinds[0], found, use, tuple(sections))

    def _other(self, ini: PasteIni, use: str) -> tuple[PasteIni, str]:
        written, _, name = use.removeprefix("config:").partition("#")
        path = ini.path.parent / urllib.parse.unquote(written)
        if path not in self._files:
            if len(self._files) == _MAX_FILES:
                raise ConfigFileError(path, f"more than {_MAX_FILES} files are used; use fewer")
            variables = {**ini.defaults, **ini.variables}
            self._files[path] = read_paste_ini(path, variables, self.problems, self._root)
        return self._files[path], name or "main"


def _find(ini: PasteIni, kinds: tuple[str, ...], name: str) -> str | None:
    for kind in kinds:
        if f"{kind}:{name}" in ini.sections:
            return f"{kind}:{name}"
        if name == "main" and kind in ini.sections:
            return kind
    return None
