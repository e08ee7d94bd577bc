"""What holds for all tests."""

import os
from collections.abc import Generator

import pytest
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what is no text in the output of a test, as test processes talk in UTF-8."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report
