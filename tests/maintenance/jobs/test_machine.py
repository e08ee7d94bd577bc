"""Whatever happens to jobs, none is lost, none runs twice, and what has ended stays as it ended."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.jobs.jobs import work
from zope_exporter.maintenance.jobs.job import UNFINISHED, UNSUCCESSFUL, Job, Outcome, State, Task
from zope_exporter.maintenance.jobs.report import RefusedError
from zope_exporter.maintenance.jobs.store import JobStore, Pending

TASKS = [
    Task("intranet", database, action)
    for database in ("main", "catalog")
    for action in ("pack", "backup")
]
ENDS: list[State] = ["succeeded", *UNSUCCESSFUL]
HOUR = 3600.0


class Jobs(RuleBasedStateMachine):
    """Several processes at one state file; here they differ only in whether they still live."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.now = 1_800_000_000.0
        self.store = JobStore(self.path / "state.sqlite3", clock=lambda: self.now)
        self.alive: dict[int, Pending] = {}
        self.dead: set[int] = set()
        self.ended: dict[int, Job] = {}
        self.begun: dict[Task, float] = {}

    def teardown(self) -> None:
        for pending in self.alive.values():
            pending.lease.end()
        self.directory.cleanup()

    @rule(task=st.sampled_from(TASKS), cooldown=st.sampled_from([0.0, HOUR]))
    def request(self, task: Task, cooldown: float) -> None:
        self.reap()  # as each request does first of all
        refusal = ""
        if any(pending.job.task == task for pending in self.alive.values()):
            refusal = "duplicate"
        elif 0 <= self.now - self.begun.get(task, 0) < cooldown:
            refusal = "cooldown"
        got = ""
        try:
            pending = self.store.add(work(self.path, task=task), "test", cooldown)
        except RefusedError as refused:
            got = refused.code
        else:
            self.alive[pending.job.id] = pending
        assert got == refusal

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        pending = self.some(data)
        self.store.begin(pending.job.id)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), done=st.integers(0, 100))
    def progress(self, data: st.DataObject, done: int) -> None:
        self.store.progress(self.some(data).job.id, "copying", done, 100, ["a line"])

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), end=st.sampled_from(ENDS))
    def end(self, data: st.DataObject, end: State) -> None:
        pending = self.some(data)
        number = pending.job.id
        self.store.end(number, Outcome(end))
        pending.lease.end()
        del self.alive[number]
        job = self.store.job(number)
        assert job is not None
        assert job.state == end
        self.note_end(job)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Its process is killed, which lets go of the life file and does nothing else."""
        pending = self.some(data)
        pending.lease.end()
        del self.alive[pending.job.id]
        self.dead.add(pending.job.id)

    @rule()
    def reap(self) -> None:
        self.store.reap()
        for number in sorted(self.dead):
            job = self.store.job(number)
            assert job is not None
            assert (job.state, job.code) == ("interrupted", "died")
            self.note_end(job)
        self.dead.clear()

    @rule(seconds=st.sampled_from([60.0, HOUR, 365 * 24 * HOUR, -HOUR, -365 * 24 * HOUR]))
    def clock_moves(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        jobs = {job.id: job for job in self.store.jobs()}
        assert sorted(jobs) == sorted({*self.alive, *self.dead, *self.ended})
        assert all(jobs[number].state in UNFINISHED for number in (*self.alive, *self.dead))
        assert all(jobs[number] == job for number, job in self.ended.items())

    @invariant()
    def all_ends_are_counted(self) -> None:
        tallies, _ = self.store.summary()
        ends = [job.state for job in self.ended.values()]
        assert sum(tally.ended for tally in tallies) == len(ends)
        unsuccessful = sum(end in UNSUCCESSFUL for end in ends)
        assert sum(tally.unsuccessful for tally in tallies) == unsuccessful
        assert all((tally.last_duration or 0) >= 0 for tally in tallies)

    def note_end(self, job: Job) -> None:
        self.ended[job.id] = job
        if job.begun is not None and job.state != "refused":
            self.begun[job.task] = job.begun

    def some(self, data: st.DataObject) -> Pending:
        return self.alive[data.draw(st.sampled_from(sorted(self.alive)))]


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
