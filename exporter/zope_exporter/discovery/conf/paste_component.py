"""What a PasteDeploy file builds: an application, the filters before it, and a server."""

import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .config_file import ConfigFileError
from .paste_ini import PasteIni, read_paste_ini

_MAX_USES = 10
_MAX_FILES = 50
_APPLICATIONS = ("app", "application", "composite", "composit", "pipeline", "filter-app")


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

    def __init__(self, path: Path, variables: Mapping[str, str], problems: list[str]) -> None:
        self.problems = problems
        self.main = read_paste_ini(path, variables, problems)
        self._files = {path: self.main}

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self._files)

    def server(self) -> Component | None:
        return self._component(self.main, ("server",), "main")

    def pipeline(self) -> tuple[Component, ...]:
        """The filters from the outermost inwards, then the application; empty without one."""
        return tuple(self._pipeline("main"))

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
            self._files[path] = read_paste_ini(path, variables, self.problems)
        return self._files[path], name or "main"


def _find(ini: PasteIni, kinds: tuple[str, ...], name: str) -> str | None:
    for kind in kinds:
        if f"{kind}:{name}" in ini.sections:
            return f"{kind}:{name}"
        if name == "main" and kind in ini.sections:
            return kind
    return None
