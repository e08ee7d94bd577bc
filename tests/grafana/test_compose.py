"""What can be tried of compose.yaml without a container engine."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.monitoring.dashboards import GRAFANA

COMPOSE: dict[str, Any] = yaml.safe_load((GRAFANA / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_what_is_mounted_is_there_and_cannot_be_written() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (GRAFANA / source).resolve().is_dir(), source
                assert rest.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


def test_the_image_of_the_demo_is_ours_with_the_demo_in_it() -> None:
    build = SERVICES["demo"]["build"]
    assert (GRAFANA / build["context"] / "Dockerfile").is_file()
    assert build["args"] == {"EXTRAS": "[demo]"}
    assert "ARG EXTRAS" in (GRAFANA / build["context"] / "Dockerfile").read_text()


def test_all_share_one_address_and_show_it_to_this_host_only() -> None:
    for name, service in SERVICES.items():
        if name != "demo":
            assert service["network_mode"] == "service:demo"
            assert service["image"].count(":") == 1, "a version is named"
            assert "ports" not in service
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["demo"]["ports"])


def test_grafana_finds_what_is_provisioned() -> None:
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounted["./provisioning"] == "/etc/grafana/provisioning"
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/zope.yml").read_text())
    [dashboards] = provider["providers"]
    assert dashboards["options"]["path"] == mounted["./dashboards"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / Path(home).name).is_file()
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["url"] == "http://127.0.0.1:9090"
