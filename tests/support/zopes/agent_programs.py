"""Programs that have the agent in a process of their own, to fork as they like."""

import subprocess
import sys
from pathlib import Path

from tests.support.zopes.agent_installed import SOURCE

QUIETLY = """
import json, os, socket, sys, types, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, our very subject
sys.path.insert(0, sys.argv[1])
home = sys.argv[2]
"""
CONFIGURED = f"""{QUIETLY}
import App.config
configuration = App.config.getConfiguration()
configuration.clienthome = configuration.instancehome = home
App.config.setConfiguration(configuration)
"""


def run_to_its_end(program: str, home: Path, *arguments: str) -> None:
    """Run it; AssertionError unless it ends well, says nothing and leaves nothing in `home`."""
    command = [sys.executable, "-c", program, str(SOURCE), str(home), *arguments]
    ended = subprocess.run(command, check=False, timeout=60, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert list(home.iterdir()) == []
