"""How fast time goes by for the alerts of the demo."""

import re
from dataclasses import dataclass, field

_WINDOW = re.compile(r"(\[|\boffset )(\d+)([smhd])\b")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FEWEST_SCRAPES = 4  # in a window, so that one that is late does not empty it


@dataclass(frozen=True)
class Pace:
    """How long things take: as shipped, nobody would watch a demo for that long.

    `scrape` is the pause between two scrapes, `group` that before and between two mails of one
    group (None: as shipped), `day` what the rules look back over instead of a day, all in seconds.
    `thresholds` are in place of the shipped ones.
    """

    scrape: int = 5
    group: int | None = 5
    day: int = 600
    thresholds: dict[str, str] = field(
        default_factory=lambda: {
            "at_once": "20s",
            "soon": "30s",
            "patient": "1m",
            "slowly": "2m",
            "settled": "15s",
            "settled_cause": "30s",
            "remembered": "1m",
            "exporter_down": "30s",
            "disk_predicted": "10m",
            "disk_predicted_critical": "100s",
        }
    )

    def hurry(self, rules: str) -> str:
        """Return rules with all windows and offsets shortened, but never too far for a rate."""

        def shorter(window: re.Match[str]) -> str:
            before, number, unit = window.groups()
            seconds = int(number) * _UNITS[unit] * self.day // 86400
            return f"{before}{max(seconds, FEWEST_SCRAPES * self.scrape)}s"

        return _WINDOW.sub(shorter, rules)
