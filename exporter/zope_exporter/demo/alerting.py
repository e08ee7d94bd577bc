"""The shipped files of Prometheus and Alertmanager, with the demo's addresses and pace."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zope_exporter.alerting.rules import generate
from zope_exporter.system.resources import shipped

_WINDOW = re.compile(r"(\[|\boffset )(\d+)([smhd])\b")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FEWEST_SCRAPES = 4  # in a window, so that one that is late does not empty it


@dataclass(frozen=True)
class Addresses:
    """Where everything of the stack is, each as host:port."""

    exporter: str
    prometheus: str
    alertmanager: str
    mail: str


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
            "site_down": "20s",
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


def write_configuration(
    directory: Path, addresses: Addresses, token_file: Path, pace: Pace
) -> tuple[Path, Path]:
    """Write all that Prometheus and Alertmanager read; return the configuration file of each."""
    directory.mkdir(parents=True)
    thresholds = directory / "thresholds.yml"
    thresholds.write_text(yaml.safe_dump(pace.thresholds))
    for name, text in generate(shipped("alerts"), thresholds).items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(pace.hurry(text))
    prometheus = _prometheus(_shipped("prometheus.yml"), addresses, pace)
    alertmanager = _alertmanager(_shipped("alertmanager.yml"), addresses, token_file, pace)
    files = directory / "prometheus.yml", directory / "alertmanager.yml"
    for file, document in zip(files, (prometheus, alertmanager), strict=True):
        file.write_text(yaml.safe_dump(document))
    return files


def _shipped(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((shipped("alerts") / name).read_text())
    return document


def _prometheus(document: dict[str, Any], addresses: Addresses, pace: Pace) -> dict[str, Any]:
    [job] = document["scrape_configs"]
    for of, name in ((document["global"], "evaluation_interval"), (job, "scrape_timeout")):
        of[name] = f"{min(pace.scrape, int(of[name].removesuffix('s')))}s"
    job["scrape_interval"] = f"{pace.scrape}s"
    job["static_configs"] = [{"targets": [addresses.exporter]}]
    [alertmanagers] = document["alerting"]["alertmanagers"]
    alertmanagers["static_configs"] = [{"targets": [addresses.alertmanager]}]
    return document


def _alertmanager(
    document: dict[str, Any], addresses: Addresses, token_file: Path, pace: Pace
) -> dict[str, Any]:
    document["global"]["smtp_smarthost"] = addresses.mail
    document["templates"] = [str(shipped("alerts") / "templates/zope.tmpl")]
    for route in (document["route"], *document["route"]["routes"]):
        if pace.group is not None:
            route["group_wait"] = route["group_interval"] = f"{pace.group}s"
        route.pop("active_time_intervals", None)  # a demo has no night to wait for
    for receiver in document["receivers"]:
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = f"http://{addresses.exporter}/api/v1/alertmanager"
            credentials = {"credentials_file": str(token_file)}
            webhook["http_config"] = {"authorization": credentials}
    return document
