"""The one thread that scans, asked by many."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.databases.history import write_large
from tests.support.programs.processes import eventually
from zope_exporter.storage.filestorage.follow import Followed
from zope_exporter.storage.filestorage.rescan import SCANS_AT_ONCE, Background, Rescan

ASKING = 8
DEADLINE = 30.0


@pytest.fixture
def restless() -> Iterator[None]:
    """Have threads take turns all the time, as they do on a busy machine."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Watching(Rescan):
    """Notes which threads step it."""

    def __init__(self, followed: Followed) -> None:
        super().__init__(followed)
        self.threads: set[int] = set()

    def step(self) -> bool:
        self.threads.add(threading.get_ident())
        return super().step()


@pytest.mark.usefixtures("restless")
def test_whoever_asks_for_the_scan_of_a_file_gets_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.fs" for number in range(20)]
    with ThreadPoolExecutor(ASKING) as pool:
        for _ in range(30):
            background = Background(lambda path: Rescan(Followed(path)))
            together = threading.Barrier(ASKING)

            def ask(
                _: int, background: Background = background, together: threading.Barrier = together
            ) -> list[Rescan]:
                together.wait(DEADLINE)
                return [background.keep(paths)[path] for path in paths]

            first, *others = pool.map(ask, range(ASKING))
            assert all(found == first for found in others)


def test_one_thread_steps_a_scan_however_many_ask_for_it(tmp_path: Path) -> None:
    path = tmp_path / "Data.fs"
    write_large(path)
    made: list[Watching] = []

    def make(path: Path) -> Rescan:
        made.append(Watching(Followed(path)))
        return made[-1]

    background = Background(make)
    background.start()
    try:
        with ThreadPoolExecutor(ASKING) as pool:
            eventually(lambda: all(pool.map(lambda _: is_done(background, path), range(ASKING))))
    finally:
        background.stop()
    [rescan] = made
    assert rescan.problem is None
    assert len(rescan.threads) == 1
    assert threading.get_ident() not in rescan.threads


def test_only_some_scans_are_under_way_at_once_and_all_are_done(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.fs" for number in range(2 * SCANS_AT_ONCE)]
    for path in paths:
        write_large(path, 15_000)
    at_once: list[int] = []

    class Counting(Rescan):
        def step(self) -> bool:
            at_once.append(sum(each.is_under_way for each in background.keep(paths).values()))
            return super().step()

    background = Background(lambda path: Counting(Followed(path)))
    background.keep(paths)
    background.start()
    try:
        eventually(lambda: all(is_done_of(each) for each in background.keep(paths).values()))
    finally:
        background.stop()
    assert max(at_once) == SCANS_AT_ONCE


def is_done_of(rescan: Rescan) -> bool:
    return rescan.followed.known.findings is not None


def is_done(background: Background, path: Path) -> bool:
    return is_done_of(background.keep([path])[path])


def test_it_begins_once_and_ends_though_it_never_began(tmp_path: Path) -> None:
    background = Background(lambda path: Rescan(Followed(path)))
    background.stop()
    background.keep([tmp_path / "Data.fs"])
    begun = Background(lambda path: Rescan(Followed(path)))
    begun.start()
    try:
        with pytest.raises(RuntimeError):
            begun.start()
    finally:
        begun.stop()
