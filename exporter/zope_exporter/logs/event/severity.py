"""The severities of an event log, by the names and numbers that loggers of Zope give them."""

import re

SEVERITIES = ("TRACE", "DEBUG", "BLATHER", "INFO", "WARNING", "ERROR", "CRITICAL")
OTHER = "other"

# What zLOG, Python's logging and ZConfig also call them.
_ALIASES = {
    "PROBLEM": "WARNING",
    "WARN": "WARNING",
    "PANIC": "CRITICAL",
    "FATAL": "CRITICAL",
    "NOTSET": "TRACE",
}
LEVEL_NAMES = {**{name: name for name in SEVERITIES}, **_ALIASES}
_LEAST = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"), (15, "BLATHER"))
_NUMBER = re.compile(r"(?:Level )?(\d{1,9})")


def severity(level: str) -> str:
    """Return the severity that a level's name or number stands for.

    A number between two severities is the lesser one, as it is for logging itself; a name that
    nobody knows is "other". Names may be cut short, as `%(levelname)-7.7s` does to CRITICAL.
    """
    for name, found in LEVEL_NAMES.items():
        if level and name.startswith(level):
            return found
    number = _NUMBER.fullmatch(level)
    return _of_number(int(number[1])) if number else OTHER


def _of_number(number: int) -> str:
    for least, name in _LEAST:
        if number >= least:
            return name
    return "DEBUG" if number >= 10 else "TRACE"
