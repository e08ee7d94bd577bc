"""Distributions as their build backends make them, without an index and what isolates builds."""

import sys
from pathlib import Path
from typing import Literal

from tests.support.programs.commands import last_lines, run

_BUILD = "import sys, {0}; print({0}.build_{1}(sys.argv[1]))"


def build(backend: str, kind: Literal["sdist", "wheel"], source: Path, into: Path) -> Path:
    """Build the project at `source`; the file that was made. Raises CommandError."""
    log = into / "build.log"
    run([sys.executable, "-c", _BUILD.format(backend, kind), into], log, cwd=source)
    return into / last_lines(log, 1)
