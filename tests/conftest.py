"""What holds for all tests."""

import os

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
