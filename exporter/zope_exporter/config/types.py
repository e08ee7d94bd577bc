"""What all configuration files are made of: sections, and values with errors for people."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from zope_exporter.system.humanize import seconds

_FACTORS = {"kB": 1000, "MB": 1000**2, "GB": 1000**3}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(kB|MB|GB)")


def wrong(reason: str, remedy: str = "") -> PydanticCustomError:
    """Make the error of a validator; `remedy` is shown to the reader beside the reason."""
    return PydanticCustomError("wrong", "{reason}", {"reason": reason, "remedy": remedy})


def _seconds(value: object) -> float:
    found = seconds(value) if isinstance(value, str) else None
    if found is None:
        raise wrong("is not a duration", "a number and a unit: 500ms, 5s, 10m, 26h, 7d")
    return found


def _bytes(value: object) -> int:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("is not a size", "a number and a unit: 500kB, 64MB, 1.5GB")
    return int(float(match[1]) * _FACTORS[match[2]])


def _span(value: float) -> str:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    for unit, length in units.items():
        if value and value % length == 0:
            return f"{value / length:.0f}{unit}"
    return f"{value:.6f}".rstrip("0").rstrip(".") + "s"


def _size(count: int) -> str:
    unit = next((unit for unit in ("GB", "MB") if count % _FACTORS[unit] == 0), "kB")
    return f"{count / _FACTORS[unit]:.16g}{unit}"


def _server_alone(url: str) -> str:
    """A hook of a chat program is a secret from its path on."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/not-shown"


def _program_alone(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[:1], "not-shown") if len(words) > 1 else words


def _shown(how: Callable[[Any], object]) -> PlainSerializer:
    """How a value is written in the configuration that is shown."""
    return PlainSerializer(how, when_used="json")


def _name(text: str) -> str:
    if not text.strip() or len(text) > 100 or not text.isprintable():
        raise wrong("must be 1 to 100 printable characters", "it becomes a label value")
    return text


def _regex(pattern: str) -> str:
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(pattern, quiet)
    except re2.error as error:
        reason = f"is not a regular expression: {_decoded(error)}"
        raise wrong(reason, "RE2 syntax: no look-around, no back references") from None
    return pattern


def _decoded(error: Exception) -> str:
    (text,) = error.args or ("",)
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _from_directory(path: Path, info: ValidationInfo) -> Path:
    # As in Prometheus' own files, a relative path starts at the file it stands in.
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / path


def _unix_socket(value: object) -> str:
    kind, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind != "unix" or not path:
        raise wrong("is not a socket", "such as unix:/srv/zope/var/agent.sock")
    return path


def _as_unix(path: Path) -> str:
    return f"unix:{path}"


def unique(what: str) -> AfterValidator:
    def check(items: Sequence[Any]) -> Sequence[Any]:
        names = [item.name for item in items if item.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise wrong(f"has two {what} of the name {name}", "names become label values")
        return items

    return AfterValidator(check)


Name = Annotated[str, AfterValidator(_name)]
FilePath = Annotated[Path, AfterValidator(_from_directory)]
UnixSocket = Annotated[FilePath, BeforeValidator(_unix_socket), _shown(_as_unix)]
Bytes = Annotated[int, BeforeValidator(_bytes), _shown(_size)]
Seconds = Annotated[float, BeforeValidator(_seconds), _shown(_span)]
SERVER_ALONE = _shown(_server_alone)
PROGRAM_ALONE = _shown(_program_alone)
Regex = Annotated[str, AfterValidator(_regex)]


# It would read the metadata of every distribution for plugins, and show them what it validates.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Section(BaseModel):
    # Deferred, as each section would be built once by itself and again in each that it is part of.
    # Likewise, sections that are defaults are made by `model_construct`, which builds nothing.
    # The docstrings of the keys are for the reference alone, which reads the source for them: that
    # takes as long as all else here.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


def section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model a field holds, be it one, optional or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(section_of, get_args(annotation)) if found), None)
