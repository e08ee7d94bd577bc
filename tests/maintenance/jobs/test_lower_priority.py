import logging
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.faults.refused_by_filter import refuse
from tests.support.programs.require import require
from zope_exporter.maintenance.jobs.lower_priority import NICENESS, lower_priority


def _seen() -> tuple[int, set[int]]:
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)


def _lowered() -> tuple[tuple[int, set[int]], tuple[int, set[int]]]:
    """What is so in a thread whose priority was lowered, and in one that it began."""
    lower_priority()
    with ThreadPoolExecutor(1) as pool:
        return _seen(), pool.submit(_seen).result()


def _alone() -> tuple[int, set[int]]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lower_priority()
    return _seen()


def test_a_thread_and_those_it_begins_have_a_lower_priority_and_nobody_else() -> None:
    before = _seen()
    with ThreadPoolExecutor(1) as pool:
        own, begun = pool.submit(_lowered).result()
    assert own == begun
    assert own[0] == max(before[0], NICENESS)
    assert _seen() == before


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is but one processor")
def test_one_processor_is_left_alone() -> None:
    with ThreadPoolExecutor(1) as pool:
        (_, own), _ = pool.submit(_lowered).result()
    allowed = os.sched_getaffinity(0)
    assert own < allowed
    assert len(own) == len(allowed) - 1


def test_the_only_processor_is_not_given_up() -> None:
    with ThreadPoolExecutor(1) as pool:
        _, own = pool.submit(_alone).result()
    assert len(own) == 1


def _refused(*calls: str) -> tuple[int, set[int]]:
    require(refuse, *calls)
    lower_priority()
    return _seen()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is but one processor")
@pytest.mark.parametrize("call", ["setpriority", "sched_setaffinity"])
def test_what_the_kernel_refuses_is_done_without_and_told(
    call: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a unit whose SystemCallFilter has no @resources."""
    before = _seen()
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(1) as pool:
        niceness, processors = pool.submit(_refused, call).result()
    [told] = [record.getMessage() for record in caplog.records]
    assert "Operation not permitted" in told
    if call == "setpriority":
        assert niceness == before[0]
        assert len(processors) == len(before[1]) - 1
    else:
        assert niceness == max(before[0], NICENESS)
        assert processors == before[1]


def test_a_thread_that_may_not_even_ask_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def step() -> None:
        require(refuse, "getpriority", "setpriority", "sched_getaffinity", "sched_setaffinity")
        lower_priority()

    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(1) as pool:
        pool.submit(step).result()
    assert len(caplog.records) == 2


def test_nothing_is_told_when_nothing_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(1) as pool:
        pool.submit(lower_priority).result()
    assert not caplog.records
