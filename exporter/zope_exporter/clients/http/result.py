"""What a probe found out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Phase = Literal["dns", "connect", "tls", "first_byte", "transfer"]
Reason = Literal[
    "dns",
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
