"""Telling from a command line whether a process is a Zope or a ZEO server, and of which files."""

import getopt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# The interpreters that plone.recipe.zope2instance and zc.recipe.egg write are Python scripts with
# Python's own options, so that they stand between python and the program.
_INTERPRETER = re.compile(r"(?:.*/)?(?:(?:python|pypy)[\d.]*[a-z]*(?:-dbg)?|interpreter|zopepy)")
_VALUED_OPTION = re.compile(r"-([^-cmWXQ]*)([cmWXQ])(.*)", re.DOTALL)
_RUNWSGI = re.compile(r"(?:.*/)?(?:runwsgi|Zope2/Startup/serve\.py[co]?)|Zope2\.Startup\.serve")
_RUNZOPE = re.compile(r"(?:.*/)?(?:runzope|Zope2/Startup/run\.py[co]?)|Zope2\.Startup\.run")
_RUNZEO = re.compile(r"(?:.*/)?(?:runzeo|ZEO/runzeo\.py[co]?)|ZEO\.runzeo")
_RUNWSGI_OPTIONS = ["app-name=", "server=", "server-name=", "verbose", "quiet"]
_RUNWSGI_OPTIONS += ["debug", "debug-exceptions", "help"]
_ZDAEMON_OPTIONS = ["configure=", "help"]
_RUNZEO_OPTIONS = [*_ZDAEMON_OPTIONS, "address=", "filename=", "timeout=", "monitor=", "pid-file="]


@dataclass(frozen=True)
class CommandLine:
    """What a Zope or ZEO process was told; paths are as written, possibly relative.

    `variables` are those of `runwsgi zope.ini name=value`.
    """

    kind: Literal["zope", "zeo"]
    config: str = ""
    wsgi_ini: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    debug: bool = False


class CommandLineError(Exception):
    """A Zope or ZEO process whose options do not tell where its configuration is."""


def parse(argv: Sequence[str]) -> CommandLine | None:
    """Return what the process was told, or None if it is neither a Zope nor a ZEO server.

    Only the program that runs counts: editors, consoles, zdaemon and control scripts that merely
    mention one of ours are something else. Raises CommandLineError.
    """
    program, arguments = _program(argv)
    try:
        if _RUNWSGI.fullmatch(program):
            return _runwsgi(arguments)
        if _RUNZOPE.fullmatch(program):
            return _runzope(arguments)
        if _RUNZEO.fullmatch(program):
            return _runzeo(arguments)
    except getopt.GetoptError as error:
        raise CommandLineError(f"its options cannot be understood: {error}") from error
    return None


def _program(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The script or dotted module that runs, and its own arguments."""
    program, arguments = (argv[0], list(argv[1:])) if argv else ("", [])
    while _INTERPRETER.fullmatch(program):
        program, arguments = _run_by_interpreter(arguments)
    return program, arguments


def _run_by_interpreter(words: list[str]) -> tuple[str, list[str]]:
    """What an interpreter's arguments tell it to run."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word, list(rest)
        if word == "-":
            break
        valued = _VALUED_OPTION.fullmatch(word)
        if word == "--check-hash-based-pycs" or (valued and not valued[3] and valued[2] != "m"):
            next(rest, None)
        if valued and valued[2] == "c":
            break
        if valued and valued[2] == "m":
            return valued[3] or next(rest, ""), list(rest)
    return "", []


def _runwsgi(arguments: list[str]) -> CommandLine:
    options, words = getopt.gnu_getopt(arguments, "n:s:vqdeh", _RUNWSGI_OPTIONS)
    uri = words[0] if words else ""
    if not uri or uri.startswith("egg:"):
        raise CommandLineError("it was started without a WSGI configuration file")
    variables = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    flagged = any(name in ("-d", "--debug") for name, _ in options)
    # The variable outranks the flag in Zope's own start-up.
    debug = variables.get("debug_mode", "on" if flagged else "") in ("true", "on", "1")
    ini = uri.removeprefix("config:").partition("#")[0]
    return CommandLine("zope", "", ini, tuple(variables.items()), debug)


def _runzope(arguments: list[str]) -> CommandLine:
    options, _ = getopt.gnu_getopt(arguments, "C:X:h", _ZDAEMON_OPTIONS)
    overrides = dict(value.partition("=")[::2] for name, value in options if name == "-X")
    debug = overrides.get("debug-mode", "").lower() in ("on", "true", "yes")
    return CommandLine("zope", _configure(options), debug=debug)


def _runzeo(arguments: list[str]) -> CommandLine:
    options, _ = getopt.gnu_getopt(arguments, "C:a:f:t:m:h", _RUNZEO_OPTIONS)
    return CommandLine("zeo", _configure(options))


def _configure(options: list[tuple[str, str]]) -> str:
    for name, value in options:
        if name in ("-C", "--configure") and value:
            return value.removeprefix("file://")
    raise CommandLineError("it was started without a configuration file (-C)")
