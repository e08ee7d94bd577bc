"""The shipped files of Prometheus and Alertmanager, with the demo's addresses and pace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zope_exporter.alerting.rules import generate
from zope_exporter.system.resources import shipped

from .pace import Pace


@dataclass(frozen=True)
class Addresses:
    """Where everything of the stack is, each as host:port."""

    exporter: str
    prometheus: str
    alertmanager: str
    mail: str


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
    document["global"]["evaluation_interval"] = f"{pace.scrape}s"
    [job] = document["scrape_configs"]
    job["scrape_interval"] = job["scrape_timeout"] = f"{pace.scrape}s"
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
