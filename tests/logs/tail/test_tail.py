import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults.rights import unprivileged
from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.file import LogError
from zope_exporter.logs.tail.line_reader import LONGEST_LINE
from zope_exporter.logs.tail.rotation_tracker import GRACE
from zope_exporter.logs.tail.tail import Tail


class Followed:
    """A log being followed, with a clock to set; `restart` forgets all that was not saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.log = self._new()
        self._saved = self.log.save()

    def _new(self) -> Tail:
        return Tail(self.path, Lines, lambda: self.now)

    def look(self, budget: int = 1 << 30) -> list[str]:
        """All lines counted until now."""
        try:
            self.log.look(budget)
        finally:
            self._saved = self.log.save()
        return self.lines()

    def lines(self) -> list[str]:
        assert isinstance(self.log.counter, Lines)
        return [line.decode("latin-1") for line in self.log.counter.lines]

    def skipped(self) -> int:
        assert isinstance(self.log.counter, Lines)
        return self.log.counter.skipped

    def restart(self, spoil: Callable[[Any], object] = lambda _: None) -> None:
        self.log.close()
        self.log = self._new()
        spoil(self._saved)
        self.log.load(self._saved)

    def resets(self) -> dict[str, int]:
        return {reason: count for reason, count in self.log.resets.items() if count}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Z4.log"


@pytest.fixture
def follow(path: Path) -> Iterator[Callable[[], Followed]]:
    """Begin to follow the log, until the end of the test."""
    begun: list[Followed] = []

    def begin() -> Followed:
        begun.append(Followed(path))
        return begun[-1]

    yield begin
    for followed in begun:
        followed.log.close()


@pytest.fixture
def followed_beside_history(path: Path, request: pytest.FixtureRequest) -> Followed:
    """A log of which one line is counted and a second one is not, with rotated files beside it."""
    beside(path, ".1.gz").write_bytes(gzip.compress(b"history\n"))
    beside(path, "-20251231").write_text("history\n")
    path.with_name("Z4-20251231.log").write_text("history\n")
    followed: Followed = request.getfixturevalue("followed")
    return followed


@pytest.fixture
def followed_from_empty(path: Path, follow: Callable[[], Followed]) -> Followed:
    path.touch()
    followed = follow()
    followed.look()
    return followed


@pytest.fixture
def followed(followed_from_empty: Followed) -> Followed:
    """A log of which one line is counted and a second one is not yet."""
    append(followed_from_empty.path, "one\n")
    assert followed_from_empty.look() == ["one"]
    append(followed_from_empty.path, "two\n")
    return followed_from_empty


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def pack(path: Path) -> None:
    beside(path, ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_history_is_not_counted(path: Path, follow: Callable[[], Followed]) -> None:
    path.write_text("old\n" * 100_000 + "unfin")
    followed = follow()
    assert followed.look() == []
    append(path, "ished\nnew\n")
    assert followed.look() == ["unfinished", "new"]
    assert followed.resets() == {}


def test_a_log_that_comes_later_is_counted_from_its_beginning(
    path: Path, follow: Callable[[], Followed]
) -> None:
    followed = follow()
    with pytest.raises(LogError):
        followed.look()
    followed.restart()
    path.write_text("first\n")
    assert followed.look() == ["first"]


def test_restart(followed: Followed) -> None:
    followed.restart()
    append(followed.path, "three\n")
    assert followed.look() == ["one", "two", "three"]
    assert followed.resets() == {}


def rename_and_create(path: Path) -> None:
    path.rename(beside(path, ".1"))
    path.write_text("three\n")


def rename_date_and_compress(path: Path) -> None:
    path.rename(beside(path, "-20260101"))
    pack(beside(path, "-20260101"))
    path.write_text("three\n")


def rotate_twice(path: Path) -> None:
    beside(path, ".1.gz").rename(beside(path, ".3.gz"))
    path.rename(beside(path, ".2"))
    pack(beside(path, ".2"))
    beside(path, ".1").write_text("three\n")
    path.write_text("four\n")


def rotate_twice_by_date(path: Path) -> None:
    path.rename(beside(path, "-20260101"))
    beside(path, "-20260102").write_text("three\n")
    path.write_text("four\n")


def rotate_before_the_extension(path: Path) -> None:
    path.rename(path.with_name("Z4-20260101.log"))
    path.with_name("Z4-20260102.log.gz").write_bytes(gzip.compress(b"three\n"))
    path.write_text("four\n")


def copy_in_its_place(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("rotate", "lines"),
    [
        (rename_and_create, ["three"]),
        (rename_date_and_compress, ["three"]),
        (rotate_twice, ["three", "four"]),
        (rotate_twice_by_date, ["three", "four"]),
        (rotate_before_the_extension, ["three", "four"]),
        (copy_in_its_place, []),
    ],
)
def test_nothing_is_lost(
    followed_beside_history: Followed,
    rotate: Callable[[Path], None],
    lines: list[str],
    restart: bool,
) -> None:
    followed = followed_beside_history
    rotate(followed.path)
    if restart:
        followed.restart()
    assert followed.look() == ["one", "two", *lines]
    assert followed.look() == ["one", "two", *lines]
    assert followed.resets() == {}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_copytruncate(followed: Followed, restart: bool, compressed: bool) -> None:
    copy = beside(followed.path, ".1")
    copy.write_bytes(followed.path.read_bytes())
    followed.path.write_text("three\n")
    if compressed:
        pack(copy)
    if restart:
        followed.restart()
    assert followed.look() == ["one", "two", "three"]
    assert followed.resets() == {"copytruncate": 1}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    "regrown", ["", "new\n", "new line of the same length as it was" * 9 + "\n"]
)
def test_truncated_without_a_copy(followed: Followed, regrown: str, restart: bool) -> None:
    os.truncate(followed.path, 0)
    append(followed.path, regrown)
    if restart:
        followed.restart()
    assert followed.look() == ["one", *regrown.splitlines()]
    assert followed.resets() == {"truncated": 1}


def test_deleted_and_created_with_the_same_inode_while_down(followed: Followed) -> None:
    inode = followed.path.stat().st_ino
    followed.log.close()
    followed.path.unlink()
    followed.path.write_text("a new log\n")
    followed.restart()
    assert followed.look() == ["one", "a new log"]
    same = followed.path.stat().st_ino == inode  # as the file system likes
    assert followed.resets() == {"truncated" if same else "replaced": 1}


def test_deleted_while_open_loses_nothing(followed: Followed) -> None:
    followed.path.unlink()
    followed.path.write_text("a new log\n")
    assert followed.look() == ["one", "two", "a new log"]
    assert followed.resets() == {}


def test_symlink_swap(path: Path, follow: Callable[[], Followed]) -> None:
    first, second = (path.with_name(name) for name in ("monday", "tuesday"))
    first.write_text("one\n")
    path.symlink_to(first)
    followed = follow()
    followed.look()
    append(first, "two\n")
    second.write_text("three\n")
    path.unlink()
    path.symlink_to(second)
    followed.restart()
    assert followed.look() == ["two", "three"]
    append(first, "late\n")
    assert followed.look() == ["two", "three", "late"]
    assert followed.resets() == {}


def test_late_lines_to_the_renamed_file(followed: Followed) -> None:
    with followed.path.open("a") as zope:
        followed.path.rename(beside(followed.path, ".1"))
        print("late", file=zope, flush=True)
        assert followed.look() == ["one", "two", "late"]
        followed.path.touch()
        followed.look()
        followed.now += 100 * GRACE
        followed.restart()
        print("very late, as Zope has not reopened its log", file=zope, flush=True)
        assert followed.look()[3:] == ["very late, as Zope has not reopened its log"]


def test_an_unfinished_line_of_a_rotated_file_is_counted_once(followed: Followed) -> None:
    append(followed.path, "half")
    followed.path.rename(beside(followed.path, ".1"))
    followed.path.write_text("three\n")
    assert followed.look() == ["one", "two", "three"]
    followed.now += GRACE
    assert followed.look() == ["one", "two", "three", "half"]
    followed.restart()
    assert followed.look() == ["one", "two", "three", "half"]


def test_what_was_written_to_an_empty_file_that_was_rotated_survives_a_restart(
    followed_from_empty: Followed,
) -> None:
    followed = followed_from_empty
    followed.path.write_text("one\n")
    followed.path.rename(beside(followed.path, ".1"))
    followed.path.write_text("two\n")
    assert followed.look(budget=0) == []  # there is more to read before it than one look reads
    followed.restart()
    assert followed.look() == ["one", "two"]
    assert followed.resets() == {}


def test_an_unfinished_line_waits_for_its_end(followed: Followed) -> None:
    append(followed.path, "thr")
    assert followed.look() == ["one", "two"]
    assert followed.log.unread == 3
    followed.restart()
    append(followed.path, "ee\n")
    assert followed.look() == ["one", "two", "three"]
    assert followed.log.unread == 0


def test_a_file_put_back_in_its_place(followed: Followed) -> None:
    rotated = beside(followed.path, ".1")
    followed.path.rename(rotated)
    followed.path.write_text("three\n")
    followed.look()
    followed.now += GRACE
    followed.look()
    followed.path.rename(beside(followed.path, ".bad"))
    rotated.rename(followed.path)
    append(followed.path, "four\n")
    assert followed.look() == ["one", "two", "three", "four"]


def test_any_bytes(path: Path, followed_from_empty: Followed) -> None:
    followed = followed_from_empty
    lines = [b"\xff\x00", b"", b"\xe2\x80\xa8\x0b\r", b"\xef\xbb\xbfBOM", b"sentinel"]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert followed.look() == [line.decode("latin-1") for line in lines]


@pytest.mark.parametrize("budget", [1, LONGEST_LINE, 1 << 30])
def test_long_lines_are_skipped_once(
    path: Path, followed_from_empty: Followed, budget: int
) -> None:
    followed = followed_from_empty
    longest = "x" * (LONGEST_LINE - 1)
    path.write_text(f"a\n{longest}\n{longest}x\nb\n{'y' * 100_000_000}\nc\n")
    while followed.log.look(budget):
        pass
    assert followed.lines() == ["a", longest, "b", "c"]
    assert followed.skipped() == 2


def test_a_restart_within_a_long_line(path: Path, followed_from_empty: Followed) -> None:
    followed = followed_from_empty
    append(path, "x" * (LONGEST_LINE + 10))
    followed.look()
    assert followed.skipped() == 1
    followed.restart()
    append(path, "xxx\nafter\n")
    assert followed.look() == ["after"]
    assert followed.skipped() == 1


def test_the_budget_bounds_a_look(path: Path, followed_from_empty: Followed) -> None:
    followed = followed_from_empty
    path.write_text("x" * 99 + "\n")
    with path.open("a") as stream:
        stream.writelines("y" * 99 + "\n" for _ in range(100_000))
    assert followed.log.look(LONGEST_LINE)
    assert len(followed.lines()) * 100 <= LONGEST_LINE
    assert followed.log.unread == path.stat().st_size - 100 * len(followed.lines())
    while followed.log.look(LONGEST_LINE):
        pass
    assert len(followed.lines()) == 100_001


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_fifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_named_and_does_not_block(
    path: Path, follow: Callable[[], Followed], make: Callable[[Path], None]
) -> None:
    make(path)
    followed = follow()
    with pytest.raises(LogError, match=r"not a regular file: name the file that Zope writes"):
        followed.look()


def test_an_unreadable_log_is_named_and_read_later(
    path: Path, follow: Callable[[], Followed]
) -> None:
    path.write_text("history\n")
    path.chmod(0)
    followed = follow()
    with unprivileged(), pytest.raises(LogError) as caught:
        followed.look()
    assert str(caught.value).startswith(f"{path} cannot be read: Permission denied; run the")
    path.chmod(0o600)
    append(path, "new\n")
    assert followed.look() == []
    append(path, "newer\n")
    assert followed.look() == ["newer"]


def test_a_missing_log_is_named_once_that_has_lasted(followed: Followed) -> None:
    followed.path.unlink()
    assert followed.look() == ["one", "two"]
    followed.now += 30
    with pytest.raises(LogError, match=rf"{followed.path} is missing: does Zope log elsewhere"):
        followed.look()
    followed.path.write_text("three\n")
    assert followed.look() == ["one", "two", "three"]


def test_a_deleted_file_is_let_go(followed: Followed) -> None:
    followed.path.unlink()
    followed.look()
    followed.now += GRACE
    with pytest.raises(LogError, match="missing"):
        followed.look()
    assert str(followed.path) not in " ".join(
        str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()
    )


def test_a_rotated_file_that_is_not_whole(followed: Followed) -> None:
    rotated = beside(followed.path, ".1.gz")
    append(followed.path, "".join(f"{number} {os.urandom(50).hex()}\n" for number in range(20_000)))
    content = gzip.compress(followed.path.read_bytes())
    rotated.write_bytes(content[: len(content) // 2])
    followed.log.close()
    followed.path.unlink()
    followed.path.write_text("after\n")
    followed.restart()
    assert followed.look()[-1] == "after"
    assert followed.resets()["unreadable"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["trail"].clear(),
        lambda state: state["trail"]["current"].pop("seen"),
        lambda state: state["trail"]["current"].update(offset="7"),
        lambda state: state.update(trail=7),
        lambda state: state["counter"].clear(),
        lambda state: state.pop("counter"),
    ],
)
def test_a_foreign_state_is_counted_and_does_not_stop(
    followed: Followed, spoil: Callable[[Any], object]
) -> None:
    followed.look()
    followed.restart(spoil)
    append(followed.path, "three\n")
    followed.look()
    append(followed.path, "four\n")
    assert followed.look()[-1] == "four"
    assert followed.resets() == {"state": 1}


def test_all_reasons_are_there_from_the_start(follow: Callable[[], Followed]) -> None:
    assert set(follow().log.resets.values()) == {0}


def test_standing(path: Path, follow: Callable[[], Followed]) -> None:
    path.write_text('127.0.0.1 - - [01/Jan/2026:12:00:00 +0100] "GET / HTTP/1.1" 200 5\nhalf')
    followed = follow()
    followed.look()
    assert followed.log.size == path.stat().st_size
    assert followed.log.unread == 4
    assert followed.log.oldest == 1767265200
    path.rename(beside(path, ".1"))
    followed.look()
    assert followed.log.size is None
    assert followed.log.oldest is None
    path.write_text("no time\n")
    followed.look()
    assert followed.log.oldest is None


def as_of_an_earlier_version(state: Any) -> None:
    del state["trail"]["seen"]
    for position in (state["trail"]["current"], *state["trail"]["older"], *state["trail"]["past"]):
        position.pop("modified", None)


def test_the_state_of_an_earlier_version_is_gone_on_with(followed: Followed) -> None:
    beside(followed.path, ".1129").write_text("history\n")
    followed.restart(as_of_an_earlier_version)
    assert followed.look() == ["one", "two"]
    followed.path.rename(beside(followed.path, ".1130"))
    followed.path.write_text("three\n")
    assert followed.look() == ["one", "two", "three"]
    assert followed.resets() == {}


def test_an_earlier_version_and_a_rotation_while_down(followed: Followed) -> None:
    history = beside(followed.path, ".1129")
    history.write_text("history\n")
    os.utime(history, (0, 0))
    followed.path.rename(beside(followed.path, ".1130"))
    beside(followed.path, ".1201").write_text("three\n")
    followed.path.write_text("four\n")
    followed.restart(as_of_an_earlier_version)
    assert followed.look() == ["one", "two", "three", "four"]
    assert followed.resets() == {}


def test_what_cannot_be_told_from_older_files_is_not_counted(followed: Followed) -> None:
    """Nobody has seen the files, all are of the same time, and their lines have none."""
    beside(followed.path, ".1128").write_bytes(b"old\n")
    beside(followed.path, ".1129.gz").write_bytes(gzip.compress(followed.path.read_bytes()))
    followed.log.close()
    followed.path.unlink()
    followed.path.write_text("three\n")
    for file in followed.path.parent.iterdir():
        os.utime(file, (2_000_000_000, 2_000_000_000))
    followed.restart(as_of_an_earlier_version)
    assert followed.look() == ["one", "two", "three"]
    assert followed.resets()["unordered"] == 1
    followed.restart()
    append(followed.path, "four\n")
    assert followed.look() == ["one", "two", "three", "four"]
    assert followed.resets()["unordered"] == 1


@pytest.mark.parametrize("restart", [False, True])
def test_the_logs_of_other_zopes_beside_it_are_theirs(path: Path, restart: bool) -> None:
    others = [path.with_name(name) for name in ("Z41.log", "Z4-1.log", "Z4-access.log")]
    for other in others:
        other.write_text("other\n")
    path.touch()
    followed = Followed(path)
    followed.look()
    for number, rotated in enumerate(["Z4-20261129.log", "Z4-20261130.log"]):
        append(path, f"ours {number}\n")
        path.rename(path.with_name(rotated))
        for other in others:
            other.rename(other.with_name(f"{other.stem}-2026113{number}.log"))
            other.write_text(f"other {number}\n")
        path.write_text(f"new {number}\n")
        if restart:
            followed.restart()
        followed.look()
    assert followed.look() == ["ours 0", "new 0", "ours 1", "new 1"]
    assert followed.resets() == {}
    followed.log.close()


def test_the_memory_of_rotated_files_is_bounded(path: Path, followed_from_empty: Followed) -> None:
    followed = followed_from_empty
    for number in range(300):
        append(path, f"{number}\n" * 100)
        path.rename(beside(path, f".{number}"))
        path.write_text(f"new {number}\n")
        followed.look()
        followed.now += GRACE
    assert len(followed.look()) == 300 * 101
    assert len(json.dumps(followed.log.save()["trail"])) < 10_000
    assert followed.resets() == {}
