"""Ini files in PasteDeploy's dialect: sections, options and the variables in them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .config_file import ConfigFileError, read_text

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


def read_paste_ini(path: Path, variables: Mapping[str, str], problems: list[str]) -> PasteIni:
    """Read an ini file; raises ConfigFileError.

    configparser would do, but a hostile file keeps it busy for hours: its time grows with the
    square of the length of a line and of the number of lines it does not understand.
    """
    known = {**variables, "here": str(path.parent), "__file__": str(path)}
    sections: dict[str, dict[str, str]] = {}
    options: dict[str, str] | None = None
    for number, first, *more in _logical_lines(read_text(path, problems)):
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
