"""Files that are shipped with the exporter and are no code: rules, runbooks, dashboards."""

from pathlib import Path

PACKAGE = Path(__file__).parent
SHIPPED = ("alerts", "grafana")


def shipped(name: str) -> Path:
    """Return the directory of that name: in an installed package, else in the checkout."""
    installed = PACKAGE / "shipped_files" / name
    return installed if installed.is_dir() else PACKAGE.parents[1] / name
