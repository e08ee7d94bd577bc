"""What a test cannot do without."""

import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pytest

from tests.support.programs.cache import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")


def require(provide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `provide` returns; where it is unavailable the test is skipped, in CI it fails."""
    try:
        return provide(*args, **kwargs)
    except UnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
