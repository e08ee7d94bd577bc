"""What a probe found out, and how long each of its phases took."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Phase = Literal["dns", "connect", "tls", "first_byte", "transfer"]
Reason = Literal[
    "dns",
    "refused",
    "connect",
    "tls",
    "certificate",
    "timeout",
    "protocol",
    "redirect",
    "status",
    "body_too_large",
    "encoding",
    "content",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

_BEGINNINGS: dict[str, Phase] = {
    "connection.connect_tcp.started": "connect",
    "connection.start_tls.started": "tls",
    "http11.send_request_headers.started": "first_byte",
    "http11.receive_response_headers.complete": "transfer",
}


@dataclass(frozen=True)
class Result:
    """How a probe went: without a `reason` it succeeded; whatever could not be known is None.

    `phases` has the seconds of each phase the probe reached, the one it failed in included.
    `certificate_expiry` is in seconds since the epoch.
    """

    seconds: float
    phases: Mapping[Phase, float] = field(default_factory=dict)
    reason: Reason | None = None
    status: int | None = None
    content_match: bool | None = None
    certificate_expiry: float | None = None


class Phases:
    """Times each phase until the next begins, so that all of them add up to the whole probe.

    A phase that comes again after a redirect, or for a second address, adds to the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds: dict[Phase, float] = {}
        self.current: Phase = "dns"
        self._clock = clock
        self._since = clock()

    def enter(self, phase: Phase) -> None:
        self.stop()
        self.current = phase

    def stop(self) -> None:
        now = self._clock()
        self.seconds[self.current] = self.seconds.get(self.current, 0.0) + now - self._since
        self._since = now

    def observe(self, event: str, _: object = None) -> None:
        """Enter the phase that an event of httpcore's `trace` begins, if it begins one."""
        phase = _BEGINNINGS.get(event)
        if phase is not None:
            self.enter(phase)
