import subprocess
import sys
import threading

from zope_exporter.logs.tail.round import Round


def test_one_thread_is_enough_where_nothing_hangs() -> None:
    threads: list[int] = []
    Round([lambda: threads.append(threading.get_ident())] * 100, patience=60).run()
    assert len(threads) == 100
    assert set(threads) == {threads[0]} != {threading.get_ident()}


def test_what_hangs_delays_nothing_else() -> None:
    hanging, done = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        hanging.wait()

    Round([hang, done.release, hang, hang, done.release], patience=0.01).run()
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    hanging.set()


NO_THREADS = """
import threading
from zope_exporter.logs.tail.round import Round
looked = []
looks = Round([lambda: looked.append(1)] * 3, patience=60)
threading.stack_size(1 << 40)  # no system has room for such a thread
try:
    looks.run()
except RuntimeError:
    print(len(looked), len(looks.not_begun))
"""


def test_where_no_thread_can_be_had_the_looks_are_given_back() -> None:
    run = subprocess.run(
        [sys.executable, "-c", NO_THREADS], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.stdout == "0 3\n", run.stderr


def test_nothing_to_do() -> None:
    Round([], patience=60).run()
