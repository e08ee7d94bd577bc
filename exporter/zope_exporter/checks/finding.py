"""What is said of each thing that was looked at."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """Ordered by how much it matters; `exit_code` is what Nagios calls it."""

    OK = 0
    WARNING = 1
    UNKNOWN = 2
    CRITICAL = 3

    @property
    def exit_code(self) -> int:
        return {Severity.UNKNOWN: 3, Severity.CRITICAL: 2}.get(self, int(self))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and how it is."""

    severity: Severity
    site: str
    subject: str
    text: str
