"""What people are told when alerting falls silent and when it is back, on one channel."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zope_exporter.system.humanize import duration
from zope_exporter.system.trouble import Trouble

log = logging.getLogger(__name__)

FIRST_RETRY = 60.0  # seconds; doubled with each failure
LAST_RETRY = 900.0


class DeliveryError(Exception):
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


@dataclass
class Notifier:
    """Tells by one channel of the silence once, again while it lasts, and of its end.

    `notified` is whether the silence was the last that was told, `notified_at` when, by the same
    clock as all times here.
    """

    channel: str
    send: Callable[[bool], None]
    repeat: float
    notified: bool = False
    notified_at: float = -math.inf
    sent: int = 0
    failed: int = 0
    _failures: int = 0
    _not_before: float = -math.inf
    _trouble: Trouble = field(default_factory=Trouble)

    def due(self, silent: bool | None, now: float) -> float:
        """Return when something has to be told; infinity for never, as things are.

        `silent` is None while nobody can know whether the silence has ended.
        """
        wanted = math.inf
        if silent:
            wanted = self.notified_at + self.repeat if self.notified else now
        elif silent is False and self.notified:
            wanted = now
        return max(wanted, self._not_before)

    def attempt(self, silent: bool, now: float) -> bool:
        """Tell; whether that went well. After a failure it takes a while to be due again."""
        try:
            self.send(silent)
        except Exception as error:  # whatever it is, it must not keep the others from being told
            # Only of ours is it known that the text holds no secret.
            reason = str(error) if isinstance(error, DeliveryError) else type(error).__name__
            self._put_off(now)
            if self._trouble.is_new(error):
                said = "silent" if silent else "back"
                text = "nobody could be notified by %s that alerting is %s, trying again: %s"
                log.error(text, self.channel, said, reason)
            return False
        if self._trouble.is_over():
            log.info("people can be notified by %s again", self.channel)
        self.sent += 1
        self.notified, self.notified_at = silent, now
        self._failures, self._not_before = 0, -math.inf
        return True

    def _put_off(self, now: float) -> None:
        self.failed += 1
        wait = min(FIRST_RETRY * 2**self._failures, LAST_RETRY)
        self._failures += 1
        self._not_before = now + wait
