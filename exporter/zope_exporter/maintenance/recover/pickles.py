"""Whether the current records of a file hold whole pickles, and what they refer to.

Pickles are not run but only gone through, and that in a process of its own with little memory and
no way to write: data of a damaged file can be anything.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.system.subprocesses import Child

from .report import Losses

SECONDS = 0.5
LONGEST_LINE = 1 << 20


def check_pickles(data_fs: Path, losses: Losses, report: Report) -> None:
    """Add to the losses which objects are unreadable and which references lead nowhere."""
    report.stage("going through the pickles")
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        output = Path(directory, "found")
        command = [sys.executable, "-I", "-m", f"{__package__}.pickle_walk", str(data_fs)]
        with Child(command, output, cwd=Path("/"), env={}) as child:
            while (status := child.wait(SECONDS)) is None:
                report.check()
        lines = output.read_text(errors="replace").splitlines()
    if status != 0:
        reason = lines[-1] if lines else f"ended with status {status}"
        raise ActionError("pickles", f"the records could not be gone through: {reason}")
    for line in lines:
        _add(json.loads(line), losses)


def _add(found: dict[str, Any], losses: Losses) -> None:
    if "records" in found:
        losses.records, losses.opaque = found["records"], found["opaque"]
    elif found["missing"] is None:
        losses.unreadable.append(found["oid"])
    elif found["missing"] is True:
        losses.too_large.append(found["oid"])
    else:
        losses.dangling.append((found["oid"], found["missing"]))
