"""The numbers in the rules, and how they are written into them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from zope_exporter.system.user_error import UserError

Thresholds = Mapping[str, str]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(?:\d+[smhdwy])+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_KINDS = ((_DURATION, "duration such as 90s, 5m or 8d"), (_NUMBER, "number such as 0.9 or 1e9"))
_PLACE = re.compile(r"<([a-z_]+)(?::(seconds))?>")


class ThresholdError(UserError, ValueError):
    """Thresholds cannot be read or do not fit the rules; the message names file, key and remedy."""


def read_thresholds(shipped: Path, own: Path | None = None) -> Thresholds:
    """Return the shipped thresholds, those in the file `own` in place of them.

    Raises ThresholdError for a file that cannot be used, for keys that no rule knows, and for what
    is not of the kind of the shipped value.
    """
    thresholds = _load(shipped)
    if own is not None:
        changes = _load(own)
        unknown = sorted(changes.keys() - thresholds.keys())
        if unknown:
            raise ThresholdError(f"{own}: {', '.join(unknown)}: no such threshold in {shipped}")
        if wrong := list(_of_other_kind(changes, thresholds)):
            raise ThresholdError(f"{own}: {'; '.join(wrong)}")
        thresholds |= changes
    thresholds["job_quoted"] = thresholds["job"].replace('"', '\\"')
    thresholds["job_text"] = thresholds["job"].replace('"', "")
    return thresholds


def _of_other_kind(changes: Thresholds, thresholds: Thresholds) -> Iterator[str]:
    for name, value in changes.items():
        for kind, wording in _KINDS:
            if kind.fullmatch(thresholds[name]) and not kind.fullmatch(value):
                yield f"{name}: {value!r} is no {wording}"


def fill(text: str, thresholds: Thresholds) -> str:
    """Return `text` with each `<name>` replaced by that threshold, `<name:seconds>` in seconds.

    Raises ThresholdError for a name that is no threshold and a duration that is none.
    """

    def value(place: re.Match[str]) -> str:
        name, unit = place.groups()
        if name not in thresholds:
            raise ThresholdError(f"<{name}> is no threshold")
        return str(_seconds(name, thresholds[name])) if unit else thresholds[name]

    return _PLACE.sub(value, text)


def _seconds(name: str, duration: str) -> int:
    if not _DURATION.fullmatch(duration):
        raise ThresholdError(f"{name}: {duration!r} is no duration such as 90s, 5m or 8d")
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdwy])", duration))


def _load(path: Path) -> dict[str, str]:
    try:
        # As text: 1e9 is to be written into the rules as it is here.
        loaded = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 - makes text only
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ThresholdError(f"{path}: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(v, str) for v in loaded.values()):
        raise ThresholdError(f"{path}: must be lines of `name: value`")
    return loaded
