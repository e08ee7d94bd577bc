"""What is told when alerting falls silent, and when it is back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zope_exporter.system.humanize import duration


class TellingError(Exception):
    """A message could not be delivered; the text holds no secret."""


@dataclass(frozen=True)
class Message:
    """One message; times are seconds since the epoch, `heard` None if that never happened."""

    host: str
    silent: bool
    max_silence: float
    heard: float | None

    @property
    def subject(self) -> str:
        if self.silent:
            return f"{self.host}: alerting is silent"
        return f"{self.host}: alerting is back"

    @property
    def text(self) -> str:
        if not self.silent:
            return f"A watchdog alert has arrived at zope-exporter on {self.host} again.\n"
        last = "None has arrived yet."
        if self.heard is not None:
            moment = datetime.fromtimestamp(self.heard).astimezone()
            last = f"The last one arrived at {moment:%Y-%m-%d %H:%M:%S %z}."
        return (
            f"No watchdog alert has arrived at zope-exporter on {self.host} for "
            f"{duration(self.max_silence)}. {last}\n\n"
            "Whatever happens to Zope now, no other alert may reach you either. Look whether\n"
            "- Prometheus runs and evaluates its rules,\n"
            "- Alertmanager runs and is reached by Prometheus,\n"
            "- the receiver of the watchdog alert has the right address and token.\n"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "text": f"{self.subject}\n{self.text}",
            "status": "silent" if self.silent else "back",
            "host": self.host,
            "last_seen": self.heard,
        }
