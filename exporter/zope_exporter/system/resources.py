"""Files that are shipped with the exporter and are no code: rules, pages, dashboards, units."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
SHIPPED = ("alerts", "deploy", "grafana")


def shipped(name: str) -> Path:
    """Return the directory of that name: in the package, installed or not, else in the checkout."""
    for parent in (PACKAGE / "shipped_files", PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    return PACKAGE.parents[1] / name
