"""Blocking work beside the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """Return what `work` returns, run in a thread of its own.

    The thread ends with its work and never keeps the process from ending, which the threads of an
    executor would. Raises what `work` raises, or RuntimeError when there is no thread to be had.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()
    threading.Thread(target=_run, args=(work, outcome), name="web", daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _run(work: Callable[[], Result], outcome: "Future[Result]") -> None:
    try:
        result = work()
    except BaseException as error:  # it belongs to whoever waits
        outcome.set_exception(error)
    else:
        outcome.set_result(result)
