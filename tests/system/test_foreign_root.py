"""What a container calls its files is never taken for one of this host."""

import os
import threading
from contextlib import suppress
from pathlib import Path, PurePath

import psutil
import pytest

from zope_exporter.system.foreign_file import ForeignFileError, NotRegularError, opened, read
from zope_exporter.system.foreign_root import open_there, real_path, root_of, within


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a container, in a place that is named as the kernel names it."""
    tree = tmp_path / "tree"
    (tree / "data/filestorage").mkdir(parents=True)
    (tree / "data/filestorage/Data.fs").write_text("theirs")
    (tree / "etc").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/secret").write_text("ours")
    (tmp_path / "proc/70").mkdir(parents=True)
    (tmp_path / "proc/70/root").symlink_to(tree)
    return tmp_path / "proc/70/root"


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/proc/70/root/app/etc", "/proc/70/root"),
        ("/proc/70/root", "/proc/70/root"),
        ("/proc/70/root/proc/1/root/etc", "/proc/70/root"),
        ("/proc/70/rootkit", None),
        ("/proc/70/cwd/root", None),
        ("/srv/zope/etc", None),
        ("", None),
    ],
)
def test_the_root_is_the_outermost_one(path: str, root: str | None) -> None:
    assert root_of(path) == (root and Path(root))


@pytest.mark.parametrize(
    ("link", "to", "path", "found"),
    [
        ("var", "/data", "/var/filestorage/Data.fs", "data/filestorage/Data.fs"),
        ("var", "data", "/var/filestorage/Data.fs", "data/filestorage/Data.fs"),
        ("var", "../../../data", "/var/x", "data/x"),
        ("etc/up", "..", "/etc/up/data/../etc/new", "etc/new"),
        ("var", "/nowhere/else", "/var/x/../y", "nowhere/else/y"),
        ("var", "/proc/1/root/etc", "/var/secret", "proc/1/root/etc/secret"),
        ("var", "etc", "/../../var/../data", "data"),
    ],
)
def test_links_are_followed_as_the_process_follows_them(
    root: Path, link: str, to: str, path: str, found: str
) -> None:
    (root / link).symlink_to(to)
    assert within(root, PurePath(path)) == root / found
    assert real_path(f"{root}{path}") == str(root / found)


def test_links_that_lead_in_a_circle_end(root: Path) -> None:
    (root / "one").symlink_to("other")
    (root / "other").symlink_to("/one")
    assert within(root, PurePath("/one/x")) == root / "one/x"
    with pytest.raises(OSError, match="symbolic"):
        open_there(root / "one/x", os.O_RDONLY)


def test_what_is_there_is_read(root: Path) -> None:
    (root / "var").symlink_to("/data")
    assert read(root / "data/filestorage/Data.fs", 100) == b"theirs"
    descriptor = open_there(root / "var/filestorage/Data.fs", os.O_RDONLY)
    assert os.read(descriptor, 100) == b"theirs"
    os.close(descriptor)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_to_a_file_of_ours_is_not_opened(root: Path, tmp_path: Path, depth: int) -> None:
    secret = tmp_path / "etc/secret"
    (root / "link").symlink_to([secret, secret.parent][depth])
    path = [root / "link", root / "link/secret"][depth]
    assert path.read_text() == "ours"  # as everybody else would read it
    with pytest.raises(FileNotFoundError), opened(path):
        pass
    with pytest.raises(ForeignFileError):
        read(path, 100)


def test_a_directory_that_becomes_a_link_while_it_is_opened_leads_nowhere(
    root: Path, tmp_path: Path
) -> None:
    """Whoever may change a container changes it at the worst moment."""
    secret, path = tmp_path / "etc", root / "etc/secret"
    path.write_text("theirs")
    aside, link, ended = root / "aside", root / "link", threading.Event()
    link.symlink_to(secret)

    def swap() -> None:
        while not ended.is_set():
            path.parent.rename(aside)
            link.rename(root / "etc")
            (root / "etc").rename(link)
            aside.rename(path.parent)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(2000):
            with suppress(ForeignFileError):  # gone for the moment
                assert read(path, 100) == b"theirs"
    finally:
        ended.set()
        swapping.join()


def test_a_fifo_there_is_not_opened(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with pytest.raises(NotRegularError), opened(root / "fifo"):
        pass


def test_no_descriptor_is_left(root: Path) -> None:
    (root / "var").symlink_to("/data/../data/filestorage")
    before = psutil.Process().num_fds()
    for path in ("/var/Data.fs", "/var/gone", "/etc/../../etc"):
        within(root, PurePath(path))
    assert psutil.Process().num_fds() == before
