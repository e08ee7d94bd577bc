"""Programs of newer Debian suites than this system's, unpacked beside its own."""

import platform
import shutil
import subprocess
from pathlib import Path

from tests.support.programs.cache import UnavailableError, cache_directory, cached
from tests.support.programs.commands import CommandError, run
from tests.support.programs.debian import PROGRAMS, Packaged, tool, unpack

PROGRAMS_THERE = {
    "alertmanager": PROGRAMS["alertmanager"],
    "amtool": PROGRAMS["amtool"],
    "prometheus": Packaged(("prometheus",), "usr/bin/prometheus"),
    "promtool": Packaged(("promtool",), "usr/bin/promtool"),
}
_SUITES = {"0.28": "trixie", "0.33": "forky"}
ALERTMANAGERS = ("0.25", *_SUITES)  # the first is that of this system
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def of_alertmanager(program: str, version: str) -> Path:
    """`alertmanager` or `amtool` of one of ALERTMANAGERS; UnavailableError if it cannot be had."""
    suite = _SUITES.get(version)
    return newer_tool(program, suite) if suite else tool(program)


def newer_tool(program: str, suite: str) -> Path:
    """The program of that suite; UnavailableError if it cannot be had."""
    packages = PROGRAMS_THERE[program].packages
    home = cache_directory() / f"{suite}-{packages[0]}"
    try:
        download = _Suite(suite).download
        cached(home, lambda home: unpack(packages, home, download, PROGRAMS_THERE))
    except (CommandError, OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{program} of {suite}: {error}") from error
    return home / program


class _Suite:
    """A suite of the archive that this system's own packages come from."""

    def __init__(self, name: str) -> None:
        self._name = name

    def download(self, packages: tuple[str, ...], home: Path, log: Path) -> None:
        lists = home / "apt"
        (lists / "partial").mkdir(parents=True)
        (lists / "archives/partial").mkdir(parents=True)
        sources = home / "sources.list"  # apt removes from its lists what it does not know
        sources.write_text(f"deb [signed-by={KEYS}] {_archive()} {self._name} main\n")
        places = [f"Dir::Etc::SourceList={sources}", "Dir::Etc::SourceParts=-"]
        places += [f"Dir::State::Lists={lists}", f"Dir::Cache={lists}"]
        options = [word for place in places for word in ("-o", place)]
        run(["apt-get", *options, "update"], log)
        run(["apt-get", *options, "download", *packages], log, cwd=home)
        shutil.rmtree(lists)
        sources.unlink()


def _archive() -> str:
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "this system")
    asked = ("Created-By: Packages", f"Release: {codename}", "Component: main")
    command = ["apt-get", "indextargets", "--format", "$(SITE)", *asked]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    if not found.stdout:
        raise UnavailableError(f"apt knows of no archive of {codename}")
    return found.stdout.split()[0]
