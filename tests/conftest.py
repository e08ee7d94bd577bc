"""What holds for all tests."""

import os
import shlex
import subprocess
import sys
from collections.abc import Generator

import pytest
from execnet.xspec import XSpec
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code: no example has a deadline or is too slow. In CI
# the examples are the same each time; everywhere else they are new ones, which may find something.
settings.register_profile(
    "any-machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("any-machine")

UNSHARE = "unshare --pid --fork --mount-proc --kill-child"
# A shell is process 1, as one is needed that reaps what tests leave to it.
OF_ITS_OWN = f"{UNSHARE} sh -c '\"$@\"; exit $?' sh"


def pytest_xdist_setupnodes(specs: list[XSpec]) -> None:
    """Give each worker processes of its own, where we may.

    An exporter that searches finds the Zopes of the whole host and asks them for pages. Those of
    another test's would be among the requests that this one counts.
    """
    # Not every root may: that of a container may lack the capability.
    if subprocess.run([*UNSHARE.split(), "true"], capture_output=True, check=False).returncode == 0:
        for spec in specs:
            spec.python = f"{OF_ITS_OWN} {shlex.quote(sys.executable)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what is no text in the output of a test, as test processes talk in UTF-8."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report
