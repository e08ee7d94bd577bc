"""Telling from a command line whether a process is a Zope or a ZEO server, and of which files."""

import getopt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from .started_program import UWSGI, program_of

_WRAPPED = r"(?:.*/)?\.?{}(?:-wrapped)?(?:\.py)?"  # NixOS starts .runwsgi-wrapped
_RUNWSGI = re.compile(
    _WRAPPED.format("runwsgi") + r"|(?:.*/)?Zope2/Startup/serve\.py[co]?|Zope2\.Startup\.serve"
)
_RUNZOPE = re.compile(
    _WRAPPED.format("runzope") + r"|(?:.*/)?Zope2/Startup/run\.py[co]?|Zope2\.Startup\.run"
)
_RUNZEO = re.compile(_WRAPPED.format("runzeo") + r"|(?:.*/)?ZEO/runzeo\.py[co]?|ZEO\.runzeo")
_PSERVE = re.compile(_WRAPPED.format("(?:pserve|paster)"))
_GUNICORN = re.compile(_WRAPPED.format("gunicorn") + r"|gunicorn(?:\.app\.wsgiapp)?")
_UWSGI = re.compile(_WRAPPED.format(f"(?:{UWSGI})"))
_RUNWSGI_OPTIONS = ["app-name=", "server=", "server-name=", "verbose", "quiet"]
_RUNWSGI_OPTIONS += ["debug", "debug-exceptions", "help"]
_ZDAEMON_OPTIONS = ["configure=", "help"]
_RUNZEO_OPTIONS = [*_ZDAEMON_OPTIONS, "address=", "filename=", "timeout=", "monitor=", "pid-file="]
_TOLD_ZEO = {
    "-a": "address",
    "--address": "address",
    "-f": "filename",
    "--filename": "filename",
    "-m": "monitor",
    "--monitor": "monitor",
}
_PASTE = ("--paste", "--paster", "--ini-paste", "--ini-paste-logged")


@dataclass(frozen=True)
class CommandLine:
    """What a Zope or ZEO process was told; paths are as written, possibly relative.

    `variables` are those of `runwsgi zope.ini name=value`, with the sections that it was told to
    take in the place of main as `#app` and `#server`, which no variable can be called; of a ZEO
    server they are its `address`, `filename` and `monitor` where these are not those of its
    zeo.conf. What is `of_any_application` is only a Zope if its ini file says so.
    """

    kind: Literal["zope", "zeo"]
    config: str = ""
    wsgi_ini: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    debug: bool = False
    of_any_application: bool = False


class CommandLineError(Exception):
    """A Zope or ZEO process whose options do not tell where its configuration is."""


def parse(argv: Sequence[str]) -> CommandLine | None:
    """Return what the process was told, or None if it is neither a Zope nor a ZEO server.

    Only the program that runs counts: editors, consoles, zdaemon and control scripts that merely
    mention one of ours are something else. Raises CommandLineError.
    """
    program, arguments = program_of(argv)
    try:
        for pattern, read in _PROGRAMS:
            if pattern.fullmatch(program):
                return read(arguments)
    except getopt.GetoptError as error:
        raise CommandLineError(f"its options cannot be understood: {error}") from error
    return None


def _runwsgi(arguments: list[str]) -> CommandLine:
    options, words = getopt.gnu_getopt(arguments, "n:s:vqdeh", _RUNWSGI_OPTIONS)
    uri = words[0] if words else ""
    if not uri or uri.startswith("egg:"):
        raise CommandLineError("it was started without a WSGI configuration file")
    variables = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    flagged = any(name in ("-d", "--debug") for name, _ in options)
    # The variable outranks the flag in Zope's own start-up.
    debug = variables.get("debug_mode", "on" if flagged else "") in ("true", "on", "1")
    ini, _, section = uri.removeprefix("config:").partition("#")
    given = dict(options)
    app = given.get("--app-name") or given.get("-n") or section
    told = _sections(app, given.get("--server-name") or section)
    return CommandLine("zope", "", ini, (*variables.items(), *told), debug)


def _sections(app: str, server: str) -> tuple[tuple[str, str], ...]:
    """The sections of the ini file that are not called main."""
    named = ("#app", app), ("#server", server)
    return tuple((key, name) for key, name in named if name not in ("", "main"))


def _runzope(arguments: list[str]) -> CommandLine:
    options, _ = getopt.gnu_getopt(arguments, "C:X:h", _ZDAEMON_OPTIONS)
    overrides = dict(value.partition("=")[::2] for name, value in options if name == "-X")
    debug = overrides.get("debug-mode", "").lower() in ("on", "true", "yes")
    config = _configure(options)
    if not config:
        raise CommandLineError("it was started without a configuration file (-C)")
    return CommandLine("zope", config, debug=debug)


def _runzeo(arguments: list[str]) -> CommandLine:
    options, _ = getopt.gnu_getopt(arguments, "C:a:f:t:m:h", _RUNZEO_OPTIONS)
    config = _configure(options)
    told = {_TOLD_ZEO[name]: value for name, value in options if name in _TOLD_ZEO and value}
    if not config and not (told.get("address") and told.get("filename")):
        raise CommandLineError("it was started without a configuration file (-C)")
    return CommandLine("zeo", config, variables=tuple(told.items()))


def _configure(options: list[tuple[str, str]]) -> str:
    given = (value for name, value in options if name in ("-C", "--configure") and value)
    return next(given, "").removeprefix("file://")


def _pserve(arguments: list[str]) -> CommandLine | None:
    words = [word for word in arguments if not word.startswith("-")]
    return _of_ini(next((word for word in words if word.partition("#")[0].endswith(".ini")), ""))


def _pasted(arguments: list[str]) -> CommandLine | None:
    """A server of applications that was given an ini file for PasteDeploy."""
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        option, equals, value = word.partition("=")
        if option in _PASTE:
            return _of_ini(value if equals else following)
    return None


def _of_ini(uri: str) -> CommandLine | None:
    ini, _, app = uri.removeprefix("config:").partition("#")
    if not ini:
        return None
    return CommandLine("zope", "", ini, _sections(app, ""), of_any_application=True)


_PROGRAMS = (
    (_RUNWSGI, _runwsgi),
    (_RUNZOPE, _runzope),
    (_RUNZEO, _runzeo),
    (_PSERVE, _pserve),
    (_GUNICORN, _pasted),
    (_UWSGI, _pasted),
)
