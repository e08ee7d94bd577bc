"""What the configuration file may say of logs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from zope_exporter.logs.syslog.listen import parse_address
from zope_exporter.logs.syslog.message import FACILITIES

from .types import FilePath, Name, Regex, Section, wrong


def _path_alone(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _listen(text: str) -> str:
    try:
        parse_address(text)
    except ValueError:
        raise wrong(
            "is not an address", "udp:127.0.0.1:5140, udp:[::1]:5140 or unix:/path"
        ) from None
    return text


def _facility(text: str) -> str:
    if text not in FACILITIES:
        raise wrong("is not a facility of syslog", f"one of {', '.join(sorted(FACILITIES))}")
    return text


# Here and below the parsers of logs are imported where the configuration has something for them:
# every command reads it.
def _access_format(text: str) -> str:
    from zope_exporter.logs.access.counter import AccessCounter

    try:
        AccessCounter(text)
    except ValueError as error:
        raise wrong(
            str(error), "as in Apache's LogFormat, nginx, gunicorn or Paste's translogger"
        ) from None
    return text


def _event_format(text: str) -> str:
    from zope_exporter.logs.event.counter import EventCounter

    try:
        EventCounter(text)
    except ValueError as error:
        raise wrong(str(error), "as in Python's logging") from None
    return text


class AccessLogConfig(Section):
    path: FilePath
    """The file."""
    format: Annotated[str, AfterValidator(_access_format)] | None = None
    """Apache's LogFormat, the format of nginx, gunicorn or Paste's translogger, or `haproxy`, if it
    is neither the common or combined format nor one of Zope's; or if it has durations."""


class EventLogConfig(Section):
    path: FilePath
    """The file."""
    format: Annotated[str, AfterValidator(_event_format)] | None = None
    """Format string of Python's logging, if it is none that Zope or Plone come with; not needed for
    JSON."""


class SyslogRouteConfig(Section):
    facility: Annotated[str, AfterValidator(_facility)] | None = None
    """Facility of its messages, such as local0."""
    tag: str | None = None
    """Tag (program name) of its messages."""


class SyslogConfig(Section):
    listen: Annotated[str, AfterValidator(_listen)]
    """Where to receive: `udp:HOST:PORT` or `unix:/path`."""
    access: SyslogRouteConfig = SyslogRouteConfig.model_construct(facility="local0")
    """Which messages are lines of the access log; by default those of facility local0."""
    event: SyslogRouteConfig = SyslogRouteConfig.model_construct(facility="user")
    """Which messages are records of the event log; by default those of facility user."""
    socket_mode: Literal["0600", "0660", "0666"] = "0600"
    """Who may send to a Unix socket: its owner, the group too, or everybody."""


class LogsConfig(Section):
    access: tuple[Annotated[AccessLogConfig, BeforeValidator(_path_alone)], ...] = ()
    """Access logs beside those that zope.conf and zope.ini name, each a path or path and format."""
    event: tuple[Annotated[EventLogConfig, BeforeValidator(_path_alone)], ...] = ()
    """Event logs beside those that zope.conf and zope.ini name, each a path or path and format."""
    syslog: SyslogConfig | None = None
    """Logs that arrive as syslog messages."""
    patterns: dict[Name, Regex] = Field(default_factory=dict)
    """What to count in the event logs beside the built-in patterns: RE2 by name."""

    @model_validator(mode="after")
    def _patterns_together(self) -> "LogsConfig":
        if not self.patterns:
            return self
        from zope_exporter.logs.event.counter import EventCounter

        try:
            EventCounter(patterns=self.patterns)
        except ValueError as error:
            raise wrong(str(error)) from None
        return self
