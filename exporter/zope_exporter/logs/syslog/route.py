"""Which log a syslog message belongs to."""

from dataclasses import dataclass, field
from typing import Literal

from .message import Message

LogName = Literal["access", "event"]

_NUMBERED = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr"),
    *("news", "uucp", "cron", "authpriv", "ftp", "ntp"),
)
FACILITIES = {
    **{name: code for code, name in enumerate(_NUMBERED)},
    **{f"local{number}": 16 + number for number in range(8)},
}


@dataclass(frozen=True)
class Route:
    """The messages of one log: those of a facility, with a tag, or both; with neither, none."""

    facility: str | None = None
    tag: str | None = None

    def takes(self, message: Message) -> bool:
        if self.facility is None and self.tag is None:
            return False
        return (self.facility is None or FACILITIES[self.facility] == message.facility) and (
            self.tag is None or self.tag.encode() == message.tag
        )


@dataclass(frozen=True)
class SyslogSettings:
    """What one site receives, and how its two logs are told apart; `access` is tried first.

    `listen` is what `parse_address` reads, `mode` that of the file of a Unix socket.
    """

    listen: str
    access: Route = field(default_factory=lambda: Route("local0"))
    event: Route = field(default_factory=lambda: Route("user"))
    mode: int = 0o600

    def log_of(self, message: Message) -> LogName | None:
        if self.access.takes(message):
            return "access"
        return "event" if self.event.takes(message) else None
