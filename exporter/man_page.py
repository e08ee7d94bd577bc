"""The man page, made of the commands' own help while the wheel is built."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "share/man/man1/zope-exporter.1"  # where pipx, and man beside a bin/ on the PATH, look


class ManPage(BuildHookInterface[Any]):
    """Puts the page among the data of the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # it would stay as it is while the commands change
        sys.path.insert(0, str(Path(self.root, "exporter")))
        from zope_exporter.cli.main import main

        self._made = tempfile.TemporaryDirectory()
        page = Path(self._made.name, "zope-exporter.1")
        page.write_text(man_page(main, self.metadata.version), encoding="utf-8")
        build_data["shared_data"][str(page)] = PAGE

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        if version != "editable":
            self._made.cleanup()


def man_page(command: click.Command, version: str) -> str:
    """Return the page of a command and of all below it, in the macros of man(7)."""
    name = "zope-exporter"
    summary = (command.help or "").partition("\n")[0].rstrip(".")
    lines = [f'.TH {_roff(name.upper())} 1 "" "{name} {version}"']
    lines += [".SH NAME", rf"{_roff(name)} \- {_roff(summary)}", ".SH SYNOPSIS"]
    lines += _help(command, click.Context(command, info_name=name, **command.context_settings))
    return "".join(f"{line}\n" for line in lines)


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    formatter = _Formatter(inner=context.parent is not None)
    command.format_help(context, formatter)
    yield from formatter.buffer
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            yield from _help(each, click.Context(each, context, name, **each.context_settings))


class _Formatter(click.HelpFormatter):
    """Takes what click says of a command, and writes it line by line in macros of man(7)."""

    def __init__(self, inner: bool) -> None:
        super().__init__(width=sys.maxsize)  # nothing is shortened
        self._inner = inner  # whether this is a section of a page that has begun

    def write_usage(self, prog: str, args: str = "", _prefix: str | None = None) -> None:
        if self._inner:
            self.write(f".SS {_roff(prog)}")
        self.write(rf"\fB{_roff(prog)}\fR {_roff(args)}".rstrip())
        if not self._inner:
            self.write(".SH DESCRIPTION")

    def write_paragraph(self) -> None:
        pass  # each text begins one

    def write_text(self, text: str) -> None:
        for paragraph in text.split("\n\n"):
            if not self.buffer[-1].startswith(".SH"):
                self.write(".PP")
            if paragraph.startswith("\b\n"):  # click's mark for lines to be left as they are
                lines = paragraph.splitlines()[1:]
                self.buffer += [".nf", *map(_roff, lines), ".fi"]
            else:
                self.write(_roff(" ".join(paragraph.split())))

    def write_dl(self, rows: Iterable[tuple[str, str]], *_: int, **_columns: int) -> None:
        for term, text in rows:
            self.buffer += [".TP", rf"\fB{_roff(term)}\fR", _roff(" ".join(text.split()))]

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        heading = rf"\fI{_roff(name)}\fR"
        self.buffer += [".PP", heading] if self._inner else [f".SH {_roff(name.upper())}"]
        yield


def _roff(text: str) -> str:
    """Return a text in which nothing is a request, an escape or a hyphen to break lines at."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
