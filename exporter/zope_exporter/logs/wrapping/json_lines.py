"""Lines of JSON: records of a JSON formatter, and docker's files of what containers write."""

import json
import re
from collections.abc import Mapping
from typing import TypeAlias, TypeGuard

_Object: TypeAlias = Mapping[str, object]

# The names that python-json-logger, structlog, ECS and the logging of Google and AWS have.
_MESSAGE = ("message", "msg", "event")
_LEVEL = ("levelname", "level", "log.level", "severity", "levelno")
_LOGGER = ("name", "logger", "log.logger", "logger_name")
_TIME = ("asctime", "timestamp", "@timestamp", "time", "created")
_TRACEBACK = ("exc_info", "exc_text", "exception", "traceback", "error.stack_trace", "stack_info")
_WORD = re.compile(r"[A-Za-z]{1,40}")
_NUMBERED = re.compile(r"Level \d{1,9}")
# What may begin a record or look like the end of what stands before a message.
_BEGINNING = re.compile(r"^(?=------|\d{4}-)", re.MULTILINE)
_UNFIT = re.compile(r"[\]:\s]+")


def read_object(line: bytes) -> _Object | None:
    """Return what a line of JSON holds, None if it is none."""
    if not line.startswith(b"{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def from_docker(found: _Object) -> bytes | None:
    """What a container has written, with its newline unless the line goes on; None if not that."""
    log = found.get("log")
    if isinstance(log, str) and "stream" in found and "time" in found:
        return log.encode("utf-8", "surrogateescape")
    return None


def message(found: _Object) -> str | None:
    return _first(found, _MESSAGE)


def record(found: _Object) -> bytes | None:
    """A record of a JSON formatter as Zope 4 and later write it; None if it is not that.

    The time goes where the thread has its place, as it may be of any form.
    """
    text, level = message(found), _level(found)
    if text is None or level is None:
        return None
    logger = _UNFIT.sub("-", _first(found, _LOGGER) or "-")[:100]
    moment = _UNFIT.sub("-", _first(found, _TIME) or "-")[:100]
    traces = [found[key] for key in _TRACEBACK if _is_text(found.get(key))]
    first, *more = "\n".join([text, *map(str, traces)]).rstrip("\n").split("\n")
    rest = _BEGINNING.sub(" ", "\n".join(["", *more])) if more else ""
    line = f"2000-01-01 00:00:00 {level} [{logger}:0][{moment}] {first}{rest}\n"
    return line.encode("utf-8", "surrogateescape")


def _level(found: _Object) -> str | None:
    nested = found.get("log")
    for key in _LEVEL:
        value = found.get(key)
        if isinstance(value, int) and 0 <= value < 1000:
            return f"Level {value}"
        if isinstance(value, str) and _WORD.fullmatch(value):
            return value.upper()
        if isinstance(value, str) and _NUMBERED.fullmatch(value):
            return value
    return _level(nested) if isinstance(nested, dict) else None


def _first(found: _Object, names: tuple[str, ...]) -> str | None:
    return next((str(found[name]) for name in names if _is_text(found.get(name))), None)


def _is_text(value: object) -> TypeGuard[str | float]:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
