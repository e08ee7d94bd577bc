"""The logging sections of an ini file: which files they lead to, and which of those to follow.

A record reaches the handlers of its logger and of all loggers above it, until one of them does not
propagate. So one record may be in several files, and one file may have both logs.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .paste import PasteIni

_MAX_ARGUMENTS = 4096
_LEVELS = {
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "FATAL": 50,
    "CRITICAL": 50,
}


@dataclass(frozen=True)
class LogFile:
    """A file as one handler writes it; its name is relative to where Zope was started."""

    name: str
    format: str | None = None
    date_format: str | None = None


@dataclass(frozen=True)
class LogFiles:
    """The files to follow, so that each record is in one of them; `access` may be among `event`."""

    access: LogFile | None = None
    event: tuple[LogFile, ...] = ()


@dataclass(frozen=True)
class _Logger:
    """`name` is "" for the root logger."""

    name: str
    handlers: tuple[str, ...]
    propagates: bool


@dataclass(frozen=True)
class _Route:
    """A file that a logger's records reach, if they have at least this level."""

    file: LogFile
    level: int


def log_files(ini: PasteIni, access_logger: str, passes_on: bool) -> LogFiles:
    """Return the files that are to be followed for the access and the event log.

    `passes_on` tells whether the access log also goes to the loggers above `access_logger`.
    """
    handlers = _Handlers(ini)
    loggers = list(_loggers(ini))
    routes = [
        list(handlers.routes(_reached(loggers, logger.name)))
        for logger in loggers
        if logger.name != access_logger
    ]
    access = _reached(loggers, access_logger, passes_on)
    return LogFiles(
        _access(list(handlers.routes(access)), routes),
        tuple(route.file for route in _needed(routes)),
    )


def _loggers(ini: PasteIni) -> Iterator[_Logger]:
    """The root logger first."""
    keys = _words(ini.get("loggers", "keys"))
    for key in sorted(keys, key=lambda key: key != "root"):
        section = f"logger_{key}"
        name = "" if key == "root" else ini.get(section, "qualname")
        if name is not None:
            handlers = tuple(_words(ini.get(section, "handlers")))
            yield _Logger(name, handlers, ini.get(section, "propagate") != "0")


def _reached(loggers: list[_Logger], name: str, passes_on: bool = True) -> Iterator[str]:
    """The handlers that records of a logger reach, whether or not it is configured itself."""
    known = {logger.name: logger for logger in loggers}
    parts = name.split(".") if name else []
    for length in range(len(parts), -1, -1):
        logger = known.get(".".join(parts[:length]))
        if logger is not None:
            yield from logger.handlers
        if not passes_on or (logger is not None and not logger.propagates):
            return


def _access(reached: list[_Route], others: list[list[_Route]]) -> LogFile | None:
    """The file that has the most of the access log, and if there is a choice, nothing else."""
    shared = {route.file.name for routes in others for route in routes}
    reached.sort(key=lambda route: (route.file.name in shared, route.level))
    return reached[0].file if reached else None


def _needed(loggers: list[list[_Route]]) -> list[_Route]:
    """One route to each file without which a record of some logger would be missed."""
    first: dict[str, _Route] = {}
    for route in (route for routes in loggers for route in routes):
        first.setdefault(route.file.name, route)
    order = list(first)
    for name in sorted(order, key=lambda name: (first[name].level, order.index(name)))[::-1]:
        if len(first) > 1 and all(_is_elsewhere(name, routes, first) for routes in loggers):
            del first[name]
    return list(first.values())


def _is_elsewhere(name: str, routes: list[_Route], kept: dict[str, _Route]) -> bool:
    """Whether all that a logger writes to a file is in another one of those that are kept."""
    levels = [route.level for route in routes if route.file.name == name]
    others = [r.level for r in routes if r.file.name != name and r.file.name in kept]
    return not levels or (bool(others) and min(others) <= min(levels))


class _Handlers:
    """What the handlers of an ini file write, each looked at once."""

    def __init__(self, ini: PasteIni) -> None:
        self._ini = ini
        self._known: dict[str, _Route | None] = {}

    def routes(self, keys: Iterator[str]) -> Iterator[_Route]:
        for key in keys:
            if key not in self._known:
                self._known[key] = self._route(key)
            route = self._known[key]
            if route is not None:
                yield route

    def _route(self, key: str) -> _Route | None:
        section = f"handler_{key}"
        kind = (self._ini.get(section, "class") or "").rpartition(".")[2]
        level = _LEVELS.get((self._ini.get(section, "level") or "").strip(), 0)
        if kind.endswith("MemoryHandler"):
            # It hands on what it has kept, whatever the level of its target.
            section = f"handler_{(self._ini.get(section, 'target') or '').strip()}"
            kind = (self._ini.get(section, "class") or "").rpartition(".")[2]
        file = self._file(section) if kind.endswith("FileHandler") else None
        return _Route(file, level) if file else None

    def _file(self, section: str) -> LogFile | None:
        ini = self._ini
        name = _file_name(ini, section)
        if name is None:
            ini.problems.append(
                f"{ini.path}: args in [{section}] have no plain file name;"
                " name the log in the configuration"
            )
        if name is None or name.startswith(("/dev/", "/proc/")):
            return None
        formatter = f"formatter_{ini.get(section, 'formatter')}"
        if "json" in (ini.get(formatter, "class") or "").lower():
            return LogFile(name)  # its format is a list of the fields
        return LogFile(name, ini.raw(formatter, "format"), ini.raw(formatter, "datefmt"))


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",")]


def _file_name(ini: PasteIni, section: str) -> str | None:
    """The first argument of a file handler; logging evaluates it as Python, we only look at it."""
    arguments = _expression(ini.get(section, "args"))
    if isinstance(arguments, ast.Tuple | ast.List) and arguments.elts:
        return _text(arguments.elts[0])
    keywords = _expression(ini.get(section, "kwargs"))
    if isinstance(keywords, ast.Dict):
        for key, value in zip(keywords.keys, keywords.values, strict=True):
            if key is not None and _text(key) == "filename":
                return _text(value)
    return None


def _expression(text: str | None) -> ast.expr | None:
    if text is None or len(text) > _MAX_ARGUMENTS:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _text(expression: ast.expr) -> str | None:
    value = expression.value if isinstance(expression, ast.Constant) else None
    # An escaped NUL or surrogate is text, but cannot be in a path.
    return value if isinstance(value, str) and value.isprintable() else None
