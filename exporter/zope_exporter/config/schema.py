"""What the configuration file may say. Every key is optional but for the names of things."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from zope_exporter.probe.url import check_url
from zope_exporter.zope_config.address import zeo_address

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
MAX_PROBE_SECONDS = 60.0


def wrong(reason: str, remedy: str = "") -> PydanticCustomError:
    """Make the error of a validator; `remedy` is shown to the reader beside the reason."""
    return PydanticCustomError("wrong", "{reason}", {"reason": reason, "remedy": remedy})


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("is not a duration", "a number and a unit: 500ms, 5s, 10m, 26h, 7d")
    return float(match[1]) * _UNITS[match[2]]


def _probe_timeout(seconds: float) -> float:
    if not 0 < seconds <= MAX_PROBE_SECONDS:
        raise wrong("must be more than 0 and at most 60s", "Prometheus itself waits 10s by default")
    return seconds


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


def _url(text: str) -> str:
    reason = check_url(text)
    if reason is not None:
        raise wrong(reason, "such as http://127.0.0.1:8080/ok")
    return text


def _zeo_address(text: str) -> str:
    try:
        return zeo_address(text)
    except ValueError:
        raise wrong("is not an address", "host:port, or the path of a socket") from None


def _from_directory(path: Path, info: ValidationInfo) -> Path:
    # As in Prometheus' own files, a relative path starts at the file it stands in.
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / path


def _unique(what: str) -> AfterValidator:
    def check(items: Sequence[Any]) -> Sequence[Any]:
        names = [item.name for item in items if item.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise wrong(f"has two {what} of the name {name}", "names become label values")
        return items

    return AfterValidator(check)


Name = Annotated[str, AfterValidator(_name)]
FilePath = Annotated[Path, AfterValidator(_from_directory)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
StatusCode = Annotated[int, Field(ge=100, le=599)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class PingConfig(_Section):
    name: Name
    """Label `target`."""
    url: Annotated[str, AfterValidator(_url)]
    """Address to fetch by GET; `user:password@` is sent as basic authentication and never shown."""
    expect: str | None = None
    """What the whole body must be, but for white space at its ends."""
    expect_regex: Annotated[str, AfterValidator(_regex)] | None = None
    """What must be found in the body, in RE2 syntax."""
    status: tuple[StatusCode, ...] = ()
    """Status codes that count as good; without it any 2xx."""
    timeout: Annotated[Seconds, AfterValidator(_probe_timeout)] = 5.0
    """Limit for everything from name resolution to the last byte."""

    @model_validator(mode="after")
    def _one_expectation(self) -> "PingConfig":
        if self.expect is not None and self.expect_regex is not None:
            raise wrong("has both expect and expect_regex", "keep one")
        return self


class InstanceConfig(_Section):
    zope_conf: FilePath | None = None
    """Zope's zope.conf; what is not given below is read from it."""
    wsgi_ini: FilePath | None = None
    """Zope's zope.ini or wsgi.ini; names zope.conf, the address and the logs."""
    name: Name | None = None
    """Label `zope`; by default the name of the instance directory."""
    data_fs: FilePath | None = None
    """The Data.fs of the main database."""
    blob_dir: FilePath | None = None
    """The blob directory of the main database."""
    access_log: FilePath | None = None
    """The access log."""
    event_log: FilePath | None = None
    """The event log."""
    pid_file: FilePath | None = None
    """File with the process id, for a Zope whose command line does not tell its configuration."""

    @model_validator(mode="after")
    def _something_to_go_by(self) -> "InstanceConfig":
        if self.zope_conf is None and self.wsgi_ini is None and self.data_fs is None:
            raise wrong("names nothing to watch", "give zope_conf, wsgi_ini or data_fs")
        return self


class ZeoConfig(_Section):
    conf: FilePath
    """The zeo.conf of the server."""
    address: Annotated[str, AfterValidator(_zeo_address)] | None = None
    """Where it listens, as host:port or a socket path, if not where its zeo.conf says."""


class SiteConfig(_Section):
    name: Name
    """Label `site`. What discovery finds under this name is added to what is given here."""
    instances: Annotated[tuple[InstanceConfig, ...], _unique("instances")] = ()
    """Its Zopes, where they are not found by themselves or another name is wanted."""
    zeo: tuple[ZeoConfig, ...] = ()
    """Its ZEO servers on this host."""
    ping: Annotated[tuple[PingConfig, ...], _unique("targets")] = ()
    """Addresses to probe; without any, every Zope of the site is probed at its root."""


class Config(_Section):
    state_dir: FilePath | None = None
    """Where to remember what was found; by default $STATE_DIRECTORY, else /var/lib/zope-exporter,
    else ~/.local/state/zope-exporter, whichever can be written first."""
    discover: bool = True
    """Whether to look for running Zopes and ZEO servers beside those given under `sites`."""
    sites: Annotated[tuple[SiteConfig, ...], _unique("sites")] = ()
    """What to watch beyond, or other than, what is found by itself."""


def section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model a field holds, be it one, optional or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(section_of, get_args(annotation)) if found), None)
