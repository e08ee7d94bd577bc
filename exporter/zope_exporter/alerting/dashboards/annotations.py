"""What happened, marked in every graph: restarts, packs, backups, deployments."""

from collections.abc import Iterator

from .metrics import Metrics
from .panel import BLUE, DATASOURCE, GREEN, ORANGE, Json


def annotations(metrics: Metrics) -> Iterator[Json]:
    """Yield what is marked in every graph."""

    def annotation(name: str, color: str, expr: str, text: str) -> Json:
        return {
            "name": name,
            "datasource": DATASOURCE,
            "enable": True,
            "hide": False,
            "iconColor": color,
            "expr": expr,
            "titleFormat": name,
            "textFormat": text,
            "step": "60s",
        }

    started = metrics("zope_process_start_time_seconds")
    yield annotation("Restarts", ORANGE, _just_now(started), "{{site}} {{zope}}")
    packed = metrics("zope_filestorage_last_pack_timestamp_seconds")
    yield annotation("Packs", BLUE, _just_now(packed), "{{site}} {{database}}")
    backed_up = metrics("zope_backup_last_success_timestamp_seconds")
    yield annotation("Backups", GREEN, _just_now(backed_up), "{{site}} {{database}}")
    config = metrics("zope_instance_config_info")
    before = f"{config} offset 5m"
    changed = (
        f"({config} unless on (site, zope, config_hash) {before}) and on (site, zope) ({before})"
    )
    yield annotation("Deployments", "purple", changed, "{{site}} {{zope}}: other configuration")


def _just_now(timestamp: str) -> str:
    # Not changes(): that misses the first one, and what happened while nobody was looking.
    return f"time() - {timestamp} < 120"
