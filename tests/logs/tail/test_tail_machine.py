"""Whatever happens to a log, and whenever the exporter is killed: each line is counted once."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.support.logs.line_counter import Lines
from tests.support.logs.rotated_log import Names, RotatedLog
from zope_exporter.logs.tail.file import LogError
from zope_exporter.logs.tail.rotation_tracker import GRACE
from zope_exporter.logs.tail.store import LogKey, LogStore
from zope_exporter.logs.tail.tail import Tail

KEY = LogKey("intranet", "instance-access", b"Z4.log")
PADDING = st.sampled_from([b"", b"\xff\x00\r", b"x" * 40, b"y" * 600, b"z" * 5000])


class Follower(RuleBasedStateMachine):
    """A process writes, logrotate rotates, people do what they do; the exporter looks or dies."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = LogStore(self.directory / "state.sqlite3")
        self.now = 0.0
        self.number = 0
        self.follower: Tail | None = None

    @initialize(names=st.sampled_from(get_args(Names)), history=st.booleans())
    def begin(self, names: Names, history: bool) -> None:
        self.log = RotatedLog(self.directory / "log", names)
        if history:
            self.log.write(b"history 1\nhistory 2\nhist")
        self.start()
        self.look()

    def line(self, padding: bytes = b"") -> bytes:
        """Every line is another, as times make them in a real log."""
        self.number += 1
        return b"%d %s\n" % (self.number, padding)

    # the exporter

    def start(self) -> Tail:
        if self.follower is None:
            self.follower = Tail(self.log.path, Lines, lambda: self.now)
            state = self.store.load().get(KEY)
            if state is not None:
                self.follower.load(state)
        return self.follower

    def look_without_saving(self) -> Tail:
        follower = self.start()
        with suppress(LogError):  # missing, which the file may well be
            while follower.look():
                pass
        return follower

    @rule()
    def look(self) -> None:
        follower = self.look_without_saving()
        assert not follower.unsaved or self.store.save({KEY: follower.save()})
        self.check(follower)
        self.log.looked_at(set(self.lines(follower)))

    def lines(self, follower: Tail) -> list[bytes]:
        assert isinstance(follower.counter, Lines)
        return [line for line in follower.counter.lines if line]

    def check(self, follower: Tail) -> None:
        counted = self.lines(follower)
        assert len(counted) == len(set(counted)), "a line was counted twice"
        assert self.log.counted <= set(counted), "what was counted was taken back"
        assert set(counted) <= self.log.all_lines, "a line was counted that was never there"
        assert not any(line.startswith(b"history") for line in counted)

    @precondition(lambda self: self.follower)
    @rule(in_the_middle=st.booleans())
    def kill(self, in_the_middle: bool) -> None:
        if in_the_middle:
            self.look_without_saving()
        assert self.follower is not None
        self.follower.close()
        self.follower = None

    @rule()
    def wait(self) -> None:
        self.now += GRACE + 1
        self.log.time_passes()

    # the process

    @rule(paddings=st.lists(PADDING, min_size=1, max_size=5))
    def write(self, paddings: list[bytes]) -> None:
        self.log.write(b"".join(map(self.line, paddings)))

    @rule(padding=PADDING)
    def write_part_of_a_line(self, padding: bytes) -> None:
        self.log.write(self.line(padding)[:-1])

    @rule()
    def write_empty_lines(self) -> None:
        self.log.write(b"\n\n" + self.line())

    @rule()
    def reopen(self) -> None:
        self.log.reopen()

    @rule()
    def another_process_writes(self) -> None:
        self.log.written_by_another(self.line())

    # logrotate and people

    @rule(create=st.booleans(), reopen=st.booleans(), compress=st.booleans())
    def rotate(self, create: bool, reopen: bool, compress: bool) -> None:
        self.log.rename()
        if create:
            self.log.create()
        if reopen:
            self.log.reopen()
        if compress:
            self.log.compress()

    @rule(between=st.booleans(), compress=st.booleans())
    def copytruncate(self, between: bool, compress: bool) -> None:
        self.log.copytruncate(self.line() if between else b"")
        if compress:
            self.log.compress()

    @rule(regrown=st.integers(0, 30))
    def truncate(self, regrown: int) -> None:
        self.log.truncate()
        self.write([b""] * regrown)

    @rule()
    def delete_and_create(self) -> None:
        self.log.close()  # so that the inode is free to be used again
        self.log.delete()
        self.log.reopen()

    @rule()
    def put_back(self) -> None:
        self.log.put_back()

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            if self.follower is not None:
                self.follower.close()
            if hasattr(self, "log"):
                self.log.close()
            shutil.rmtree(self.directory)

    def settle(self) -> None:
        """Let everything come to its end, and see that nothing was left out."""
        if not hasattr(self, "log"):
            return
        self.log.reopen()
        self.log.write(self.line())
        for _ in range(4):
            self.look()
            self.wait()
        missing = self.log.lines_there() - self.log.may_be_lost - self.log.counted
        assert not {line for line in missing if not line.startswith(b"history")}


TestFollower = Follower.TestCase
TestFollower.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
