"""The dashboards as Grafana reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

GRAFANA = Path(__file__).parents[2] / "grafana"
PROVISIONED = sorted((GRAFANA / "dashboards").glob("*.json"))


@pytest.fixture(params=PROVISIONED, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each dashboard in turn, from its file."""
    found: dict[str, Any] = json.loads(request.param.read_text())
    return found
