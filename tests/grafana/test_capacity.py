"""The forecasts of the dashboard on capacity, evaluated by Prometheus' own tool."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.alerts.cases import of_exporter
from tests.support.monitoring.dashboards import expressions, filled, load, panels
from tests.support.programs.debian import tool
from tests.support.programs.require import require

HOUR, DAY = 3600, 86400
OF = 'site="a", database="main"'
POOL = f'{OF}, zope="one"'
DISK = 'mountpoint="/srv"'
CLOSES, LOADS = f"zope_connection_closes_total{{{POOL}}}", f"zope_object_loads_total{{{POOL}}}"
TARGET = f"zope_cache_target_objects{{{POOL}}}"
MAX_AGE = f"zope_backup_max_age_seconds{{{OF}}}"
# A sample each hour of ten days: 24 GB are written a day, of which a disk of 1 TB has 400 GB left.
HOURS = 240
SERIES = {
    f"zope_disk_avail_bytes{{{DISK}}}": f"640e9-1e9x{HOURS}",
    f"zope_disk_size_bytes{{{DISK}}}": f"1e12x{HOURS}",
    f'zope_disk_holds_info{{{DISK}, site="a", holds="database"}}': f"1x{HOURS}",
    f"zope_filesystem_avail_bytes{{{OF}}}": f"640e9-1e9x{HOURS}",
    f"zope_filestorage_old_size_bytes{{{OF}}}": f"0x{HOURS}",
    f"zope_filestorage_size_bytes{{{OF}}}": f"64e9+1e9x{HOURS}",
    f"zope_filestorage_objects{{{OF}}}": f"7000x{HOURS}",
    f'zope_filestorage_garbage_bytes{{{OF}, kind="superseded"}}': f"1e9x{HOURS}",
    f'zope_filestorage_written_bytes_total{{{OF}, class="A"}}': f"0+1e9x{HOURS}",
    f'zope_action_runs_total{{{OF}, action="backup"}}': "0x23 "
    + " ".join(f"{day}x23" for day in range(1, 11)),
    f'zope_action_failures_total{{{OF}, action="backup"}}': f"0x{HOURS}",
    f'zope_action_running{{{OF}, action="backup"}}': f"0x{HOURS}",
    f'zope_action_last_duration_seconds{{{OF}, action="backup"}}': f"{HOUR}x{HOURS}",
    MAX_AGE: f"{26 * HOUR}x{HOURS}",
    f'zope_cache_objects{{{POOL}, state="active"}}': f"25000x{HOURS}",
    f'zope_cache_objects{{{POOL}, state="ghost"}}': f"9x{HOURS}",
    TARGET: f"5000x{HOURS}",
    f"zope_cache_size_bytes{{{POOL}}}": f"50e6x{HOURS}",
    f'zope_connections{{{POOL}, state="in_use"}}': f"3x{HOURS}",
    f'zope_connections{{{POOL}, state="idle"}}': f"2x{HOURS}",
    f"zope_connection_pool_size{{{POOL}}}": f"2x{HOURS}",
    'zope_worker_threads{site="a", zope="one"}': f"4x{HOURS}",
    LOADS: f"0+50000x{HOURS}",
    CLOSES: f"0+100x{HOURS}",
}
ROOM = 640e9 - 240e9 - (64e9 + 240e9)
EXPECTED = {
    "First disk full in": 400 / 24 * DAY,
    "File systems: Full in": 400 / 24 * DAY,
    "First pack with no room in": ROOM / 48e9 * DAY,
    "Databases: Written a day": 24e9,
    "Databases: No room for one in": ROOM / 48e9 * DAY,
    "Databases: Freed by a pack": 1e9,
    "Time for backups used": 0.5,
    "Caches too small": 1,
    "Caches: Filled": 1,
    "Caches: Loads a request": 500,
    "Caches: Recommended": 7000,
    "Caches: More memory": 20e6,
    "Pools below threads": 1,
    "Pools: Threads": 4,
    "Pools: Pool of threads": 0.5,
    "Pools: Most in use": 3,
}
CASES: dict[str, tuple[dict[str, str], Mapping[str, float | None]]] = {
    "ten days": ({}, EXPECTED),
    # Nothing fills, is written, backed up or asked for: nothing is foretold.
    "idle": (
        {
            **{name: re.sub("[-+]1e9", "+0", value) for name, value in SERIES.items()},
            f'zope_action_runs_total{{{OF}, action="backup"}}': f"5x{HOURS}",
            CLOSES: f"5x{HOURS}",
        },
        {
            "First disk full in": None,
            "File systems: Full in": None,
            "First pack with no room in": None,
            "Databases: No room for one in": None,
            "Time for backups used": None,
            "Caches too small": 0,
            "Caches: Recommended": 5000,
            "Caches: More memory": 0,
        },
    ),
    "a large max_age, and an unknown number of objects": (
        {MAX_AGE: f"{72 * HOUR}x{HOURS}", f"zope_filestorage_objects{{{OF}}}": "_"},
        {"Time for backups used": 1 / 24, "Caches: Recommended": 10_000},
    ),
    "half a day": (
        {name: value.replace(f"x{HOURS}", "x12") for name, value in SERIES.items()},
        {
            "First disk full in": None,
            "First pack with no room in": None,
            "Databases: Written a day": None,
            "Time for backups used": None,
        },
    ),
}


def queries() -> dict[str, str]:
    """Those of the dashboard, by the title of the panel, or of panel and column."""
    [dashboard] = [each for each in load() if each["uid"] == "zope-capacity"]
    found = dict(expressions(dashboard))
    for panel in panels(dashboard):
        if panel["type"] == "table":
            names = panel["transformations"][-1]["options"]["renameByName"]
            for target in panel["targets"]:
                title = names[f"Value #{target['refId']}"]
                found[f"{panel['title']}: {title}"] = target["expr"]
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_is_foretold_is_what_the_numbers_say(case: str, tmp_path: Path) -> None:
    changes, expected = CASES[case]
    known, at = queries(), 12 if case == "half a day" else HOURS
    looks = [
        {
            "expr": f"round(sum({filled(known[title])}) / {value or 1}, 0.02)",
            "eval_time": f"{at}h",
            "exp_samples": [] if value is None else [{"labels": "{}", "value": float(value > 0)}],
        }
        for title, value in expected.items()
    ]
    series = {**SERIES, **changes}
    test = {
        "interval": "1h",
        "input_series": [{"series": of_exporter(s), "values": v} for s, v in series.items()],
        "promql_expr_test": looks,
    }
    document = {"evaluation_interval": "1h", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    command = [str(require(tool, "promtool")), "test", "rules", str(tmp_path / "test.yml")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
