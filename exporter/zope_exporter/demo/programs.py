"""Prometheus and Alertmanager for the demo: those of this host, else unpacked from packages."""

import shutil
from pathlib import Path

from zope_exporter.system.subprocesses import Child

from .instance import DemoError, last_words

FETCH_DEADLINE = 180.0
_INSTALLED = b"/usr/share/prometheus/alertmanager"

# By package: what is in it, and what it may be called on the PATH.
_PACKAGES = {
    "prometheus": ("usr/bin/prometheus", ("prometheus",)),
    "prometheus-alertmanager": (
        "usr/bin/prometheus-alertmanager",
        ("alertmanager", "prometheus-alertmanager"),
    ),
}


def find_programs(scratch: Path, log: Path) -> tuple[Path, Path]:
    """Return Prometheus and Alertmanager, unpacked below `scratch` where PATH has none.

    Nothing is installed. Raises DemoError if they cannot be had.
    """
    prometheus, alertmanager = (_find(package, scratch, log) for package in _PACKAGES)
    return prometheus, alertmanager


def _find(package: str, scratch: Path, log: Path) -> Path:
    inside, names = _PACKAGES[package]
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    home = scratch / package
    home.mkdir(parents=True)
    _run(["apt-get", "download", package], home, log)
    for archive in home.glob("*.deb"):
        _run(["dpkg", "-x", str(archive), str(home)], home, log)
    relocate(home / inside)
    return home / inside


def relocate(program: Path) -> None:
    """Let a program find its own files below the directory it is started in.

    Debian's Alertmanager reads its templates from where they would be installed, and cannot be told
    otherwise; the path in it makes room for a relative one of the same length.
    """
    content = program.read_bytes()
    moved = content.replace(_INSTALLED, _INSTALLED[1:] + b"/")
    if moved != content:
        program.write_bytes(moved)


def _run(command: list[str], cwd: Path, log: Path) -> None:
    with Child(command, log, cwd=cwd) as child:
        status = child.wait(FETCH_DEADLINE)
    if status != 0:
        raise DemoError(
            "the stack needs Prometheus and Alertmanager: put both on the PATH, or let apt-get"
            f" download their packages (apt-get update). {last_words(log)}"
        )
