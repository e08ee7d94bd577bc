import threading

from zope_exporter.logfiles.round import Round


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


def test_nothing_to_do() -> None:
    Round([], patience=60).run()
