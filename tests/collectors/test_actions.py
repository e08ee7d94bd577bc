from pathlib import Path

from tests.support.jobs.jobs import MAIN, work
from zope_exporter.collectors.actions import ActionsCollector
from zope_exporter.maintenance.jobs.job import Outcome, Task
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden")
BACKUP = Task("intranet", "main", "backup")
VERIFY = Task("intranet", "main", "verify")


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def page(collector: ActionsCollector) -> str:
    return encode(collector.collect(), "")[0].decode()


def test_golden_page(tmp_path: Path) -> None:
    clock = Clock()
    store = JobStore(tmp_path / "state.sqlite3", clock=clock)
    for outcome in (Outcome("succeeded"), Outcome("failed"), Outcome("refused", "room")):
        ended = store.add(work(tmp_path), "shell")
        store.begin(ended.job.id)
        clock.now += 60
        store.end(ended.job.id, outcome)
        ended.lease.end()
    running = store.add(work(tmp_path, task=BACKUP), "shell")
    store.begin(running.job.id)
    store.progress(running.job.id, "copying", 30, 120, [])
    collector = ActionsCollector(store, lambda: [MAIN, BACKUP, VERIFY])
    assert page(collector) == (GOLDEN / "actions.txt").read_text()
    running.lease.end()


def test_a_job_that_died_no_longer_runs(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state.sqlite3")
    dead = store.add(work(tmp_path), "shell")
    store.begin(dead.job.id)
    collector = ActionsCollector(store, list)
    assert 'zope_action_running{action="pack",database="main",site="intranet"} 1.0' in page(
        collector
    )
    dead.lease.end()
    after = page(collector)
    assert 'zope_action_running{action="pack",database="main",site="intranet"} 0.0' in after
    assert 'zope_action_failures_total{action="pack",database="main",site="intranet"} 1.0' in after


def test_no_state_file_matters_only_where_there_are_actions() -> None:
    store = JobStore(None, "no state can be kept")
    assert Registry([ActionsCollector(store, list)]).scrape(60).failures == []
    (failure,) = Registry([ActionsCollector(store, lambda: [MAIN])]).scrape(60).failures
    assert failure.reason == "no state can be kept"
