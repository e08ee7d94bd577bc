"""A file system of its own, with little room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(place: Path, options: str = "size=5m") -> Iterator[Path]:
    """Mount one of 5 MiB, where that is allowed."""
    with _mounted(place, "-t", "tmpfs", "-o", options, "tmpfs"):
        yield place


@contextmanager
def mounted_again(original: Path, place: Path) -> Iterator[Path]:
    """Mount a file or directory at a second place, as containers have it."""
    if original.is_file():
        place.touch()
    with _mounted(place, "--bind", str(original)):
        yield place


@contextmanager
def mounted_read_only(original: Path) -> Iterator[Path]:
    """Mount a directory a second time, where nobody can write to it, not even root."""
    place = original.with_name(f"{original.name}-read-only")
    with _mounted(place, "-o", "bind,ro", str(original)):
        yield place


@contextmanager
def _mounted(place: Path, *arguments: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    if not place.is_file():
        place.mkdir(exist_ok=True)
    mount = ["mount", *arguments, str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        # Lazily: an exporter of another test may have a file of a ZEO server here open just now.
        subprocess.run(["umount", "--lazy", place], check=True)


def emptied(directory: Path) -> None:
    """Remove all that is in a directory but what is mounted there, which is emptied itself."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            emptied(entry)
            with suppress(OSError):  # it is busy: something is mounted there
                entry.rmdir()
        else:
            entry.unlink()
