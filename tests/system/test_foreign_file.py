import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.faults.odd_files import ODD
from tests.support.faults.rights import public_directory, unprivileged
from tests.support.programs.processes import eventually
from zope_exporter.system.foreign_file import (
    ForeignFileError,
    NotRegularError,
    chunks,
    opened,
    read,
)

REASONS = {
    "fifo": "a FIFO, not a regular file; name a regular file",
    "device": "a device, not a regular file; name a regular file",
    "terminal": "a device, not a regular file; name a regular file",
    "directory": "a directory, not a regular file; name a regular file",
    "socket": "a socket, not a regular file; name a regular file",
    "loop": "Too many levels of symbolic links; correct the path",
    "sparse": "larger than 100 bytes; is this the right file?",
}


def test_a_small_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to(path)
    assert read(path, 100) == read(tmp_path / "link", 100) == b"x" * 100
    path.write_bytes(b"")
    assert read(path, 100) == b""


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_small_file_is_said_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    ODD[kind](path)
    with pytest.raises(ForeignFileError) as raised:
        read(path, 100)
    assert str(raised.value).startswith(f"{path}: {REASONS[kind]}")


def test_one_byte_too_many_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 101)
    with pytest.raises(ForeignFileError, match="larger than 100 bytes"):
        read(path, 100)


@pytest.mark.parametrize("name", ["missing", "nul\0", "half\ud800"])
def test_a_name_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForeignFileError, match="correct the path"):
        read(tmp_path / name, 100)


def test_what_may_not_be_read_is_said() -> None:
    with public_directory() as directory:
        path = directory / "file"
        path.write_text("secret")
        path.chmod(0)
        with unprivileged(), pytest.raises(ForeignFileError, match="let the exporter's user read"):
            read(path, 100)


def test_a_file_of_the_kernel_is_not_drained() -> None:
    # As /proc/kmsg, it calls itself a regular file; but what was read there is gone.
    assert Path("/proc/self/status").read_bytes()
    assert read(Path("/proc/self/status"), 1 << 20) == b""


def test_a_fifo_is_not_even_opened(tmp_path: Path) -> None:
    """Its writer, which waits for a reader, would go on and be killed by the first write."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    written = threading.Event()

    def write() -> None:
        os.close(os.open(path, os.O_WRONLY))
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(100):
        with pytest.raises(NotRegularError), opened(path):
            pass
    assert not written.is_set()
    os.close(os.open(path, os.O_RDONLY))
    writer.join(30)
    assert written.is_set()


def swap(path: Path, make: Callable[[Path], object]) -> None:
    make(path.with_name("other"))
    path.with_name("other").rename(path)


def test_a_file_that_becomes_another_after_the_look_is_refused(tmp_path: Path) -> None:
    """Names change hands all the time; never is anything but a regular file given out."""
    path = tmp_path / "file"
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            swap(path, os.mkfifo)
            swap(path, lambda path: path.write_text("text"))

    def both_seen() -> bool:
        outcomes.add(outcome(path))
        return len(outcomes) > 1

    path.write_text("text")
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        outcomes = {outcome(path) for _ in range(3000)}
        eventually(both_seen)
    finally:
        over.set()
        thread.join(30)
    assert outcomes == {"text", "a FIFO, not a regular file"}


def outcome(path: Path) -> str:
    try:
        return read(path, 100).decode()
    except ForeignFileError as error:
        return error.reason


def test_a_link_is_followed_unless_that_is_not_wanted(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"text")
    link.symlink_to(file)
    with opened(link) as descriptor:
        assert os.read(descriptor, 9) == b"text"
    with (
        pytest.raises(NotRegularError, match="a symbolic link, not a regular file"),
        opened(link, follow_links=False),
    ):
        pass


def test_the_name_is_looked_up_in_the_directory_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_bytes(b"text")
    directory = os.open(tmp_path / "there", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with opened(tmp_path / "elsewhere/file", directory) as descriptor:
            assert os.read(descriptor, 9) == b"text"
    finally:
        os.close(directory)


@pytest.mark.parametrize("may_grow", [False, True])
def test_a_file_that_grows_while_it_is_read_has_an_end(tmp_path: Path, may_grow: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with opened(path) as descriptor:
        reading = chunks(descriptor, path, may_grow)
        assert next(reading) == b"old"
        with path.open("ab") as more:
            more.write(b"new")
        if may_grow:
            assert list(reading) == [b"new"]
        else:
            with pytest.raises(OSError, match=f"it grew while it was read: '{path}'"):
                next(reading)
