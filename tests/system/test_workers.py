import threading
from collections.abc import Callable
from concurrent.futures import Future

from tests.support.programs.processes import eventually
from zope_exporter.system.workers import Progress, Task, Workers

SOON = 20.0  # seconds; only broken workers ever wait so long
NOW = 0.01


def task(work: Callable[[], object] = lambda: None) -> tuple[Task, "Future[str]"]:
    outcome: Future[str] = Future()

    def run() -> None:
        work()
        outcome.set_result("done")

    return Task("collect test", run, lambda error: outcome.set_result(str(error))), outcome


def results(outcomes: list["Future[str]"]) -> list[str]:
    return [outcome.result(0) for outcome in outcomes]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "collect test"]


def test_many_short_tasks_need_few_threads() -> None:
    workers, seen = Workers(), set()
    pairs = [task(lambda: seen.add(threading.get_ident())) for _ in range(500)]
    for each, _ in pairs:
        workers.add(each)
    outcomes = [outcome for _, outcome in pairs]
    workers.wait(outcomes, SOON)
    assert results(outcomes) == ["done"] * 500
    assert len(seen) < 500
    assert eventually(lambda: not threads())


def test_tasks_that_hang_keep_no_other_from_its_turn() -> None:
    workers, let_go = Workers(), threading.Event()
    hanging = [task(lambda: let_go.wait(SOON)) for _ in range(100)]
    quick, outcome = task()
    for each, _ in [*hanging, (quick, outcome)]:
        workers.add(each)
    try:
        workers.wait([outcome], SOON)
        assert results([outcome]) == ["done"]
        assert len(threads()) == 100
    finally:
        let_go.set()
    workers.wait([outcome for _, outcome in hanging], SOON)
    assert eventually(lambda: not threads())


def test_what_a_hurried_wait_left_is_begun_by_the_next() -> None:
    workers, let_go = Workers(), threading.Event()
    hanging = [task(lambda: let_go.wait(SOON)) for _ in range(8)]
    quick, outcome = task()
    for each, _ in [*hanging, (quick, outcome)]:
        workers.add(each)
    try:
        workers.wait([outcome], 0)
        assert not outcome.done()
        workers.wait([outcome], SOON)
        assert outcome.done()
    finally:
        let_go.set()


def test_nothing_to_wait_for() -> None:
    Workers().wait([], SOON)


def no_thread(_: Callable[[], None]) -> None:
    raise RuntimeError("can't start new thread")


def test_without_any_thread_every_task_is_refused() -> None:
    workers = Workers(no_thread)
    pairs = [task() for _ in range(3)]
    for each, _ in pairs:
        workers.add(each)
    outcomes = [outcome for _, outcome in pairs]
    workers.wait(outcomes, SOON)
    assert results(outcomes) == ["can't start new thread"] * 3


def test_with_one_thread_and_no_more_to_be_had_it_does_everything() -> None:
    started: list[threading.Thread] = []

    def only_one(work: Callable[[], None]) -> None:
        if started:
            no_thread(work)
        started.append(threading.Thread(target=work, daemon=True))
        started[0].start()

    workers, let_go = Workers(only_one), threading.Event()
    first, first_outcome = task(lambda: let_go.wait(SOON))
    second, second_outcome = task()
    workers.add(first)
    workers.add(second)
    workers.wait([first_outcome], NOW)
    let_go.set()
    workers.wait([first_outcome, second_outcome], SOON)
    assert results([first_outcome, second_outcome]) == ["done", "done"]


def progress(moment: float, cpu: float = 0, ended: int = 0, left: int = 100) -> Progress:
    return Progress(moment, cpu, ended, left)


def test_threads_that_keep_a_processor_busy_are_given_no_others() -> None:
    assert progress(1.0).waited_since(progress(0.9))
    assert progress(1.0, cpu=5.04).waited_since(progress(0.9, cpu=5.0))
    assert not progress(1.0, cpu=5.06).waited_since(progress(0.9, cpu=5.0))


def test_unless_they_would_not_be_through_in_time() -> None:
    before = progress(1.0, ended=10, left=110)
    assert progress(2.0, ended=20, left=100).too_slow_since(before, 9.0)
    assert not progress(2.0, ended=20, left=100).too_slow_since(before, 11.0)


def test_whether_they_will_be_through_is_not_told_from_a_moment() -> None:
    assert not progress(1.1).too_slow_since(progress(1.0), 5.0)
    assert progress(1.5).too_slow_since(progress(1.0), 5.0)
