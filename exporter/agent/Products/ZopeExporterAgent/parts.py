"""Each part of an answer is read apart from the others: one that fails is named, not missed."""

from __future__ import absolute_import

# Their texts are Python's own; any other exception may carry a password or a user's data.
_HARMLESS = (AttributeError, ImportError, TypeError)

ABSENT = object()  # what a part is when the process has no such thing


def gather(parts, errors, prefix=""):
    """The values of `parts`, pairs of name and function; `errors` gets those that raised."""
    found = {}
    for name, read in parts:
        try:
            value = read()
        except Exception as error:  # noqa: PERF203 -- one for each part is the point
            errors[prefix + name] = describe(error)
        else:
            if value is not ABSENT:
                found[name] = value
    return found


def describe(error):
    """An exception for the eyes of whoever may read the exporter's page."""
    if isinstance(error, UnknownError):
        return str(error)
    name = type(error).__name__
    try:
        return name + ": " + text(str(error))[:200] if isinstance(error, _HARMLESS) else name
    except UnicodeError:  # Python 2, and a message of other letters
        return name


class UnknownError(Exception):
    """Why something cannot be told, in our own words."""


def text(value):
    """A path or a name as JSON can carry it, whatever its bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.encode("utf-8", "replace").decode("utf-8")
