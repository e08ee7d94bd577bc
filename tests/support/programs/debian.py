"""Programs from the distribution's packages, unpacked without being installed or started."""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.cache import UnavailableError, cache_directory, cached
from tests.support.programs.commands import CommandError, run
from zope_exporter.demo.programs import relocate

Download = Callable[[tuple[str, ...], Path, Path], None]  # packages, where to, its log


@dataclass(frozen=True)
class Packaged:
    packages: tuple[str, ...]  # the program's own, then the libraries not every system has
    path: str
    version: str = "--version"  # the option that asks for it
    relocated: bool = False  # whether it looks for files of its own where it would be installed
    variable: tuple[str, str] = ("", "")  # by which it is told where these are, if it can be


_POSTGRES = ("postgresql-15",)

# It takes the libraries with it of the systemd that it boots; an image of containers has none.
_SYSTEMD = (
    "systemd-container",
    "systemd",
    "libsystemd-shared",
    "libsystemd0",
    "libacl1",
    "libapparmor1",
    "libargon2-1",
    "libcryptsetup12",
    "libdevmapper1.02.1",
    "libfdisk1",
    "libip4tc2",
    "libjson-c5",
    "libkmod2",
    "libseccomp2",
)

# What starts the containers of Podman, and the libraries an image of containers has not.
_PODMAN = (
    "podman",
    "conmon",
    "runc",
    "golang-github-containers-common",
    "libassuan0",
    "libdevmapper1.02.1",
    "libgpgme11",
    "libseccomp2",
    "libsubid4",
)

# Both embed the Python of the distribution, and find what a virtual environment of it holds.
_UWSGI = (
    "uwsgi-core",
    "uwsgi-plugin-python3",
    "libjansson4",
    "libmatheval1",
    "libpcre3",
    "libpython3.11",
    "libyajl2",
)
_APACHE = (
    "apache2-bin",
    "libapache2-mod-wsgi-py3",
    "libapr1",
    "libaprutil1",
    "libjansson4",
    "libpcre2-8-0",
    "libpython3.11",
)

_ALERTMANAGER = ("prometheus-alertmanager",)

PROGRAMS = {
    "alertmanager": Packaged(_ALERTMANAGER, "usr/bin/prometheus-alertmanager", relocated=True),
    "amtool": Packaged(_ALERTMANAGER, "usr/bin/amtool", relocated=True),
    "apache2": Packaged(_APACHE, "usr/sbin/apache2", "-v"),
    "blackbox_exporter": Packaged(
        ("prometheus-blackbox-exporter",), "usr/bin/prometheus-blackbox-exporter"
    ),
    "chromium": Packaged(
        (
            "chromium",
            "chromium-common",
            "libasyncns0",
            "libdouble-conversion3",
            "libflac12",
            "libharfbuzz-subset0",
            "libminizip1",
            "libmp3lame0",
            "libmpg123-0",
            "libogg0",
            "libopenh264-7",
            "libopenjp2-7",
            "libopus0",
            "libpulse0",
            "libsndfile1",
            "libvorbis0a",
            "libvorbisenc2",
            "libxnvctrl0",
        ),
        "usr/lib/chromium/chromium",
    ),
    "debootstrap": Packaged(
        ("debootstrap",),
        "usr/sbin/debootstrap",
        variable=("DEBOOTSTRAP_DIR", "usr/share/debootstrap"),
    ),
    "goaccess": Packaged(("goaccess", "libmaxminddb0", "libncursesw6"), "usr/bin/goaccess"),
    "initdb": Packaged(_POSTGRES, "usr/lib/postgresql/15/bin/initdb"),
    "logrotate": Packaged(("logrotate", "libpopt0"), "usr/sbin/logrotate"),
    "mandoc": Packaged(("mandoc",), "usr/bin/mandoc", "-Tps"),  # it has no option for its version
    "mawk": Packaged(("mawk",), "usr/bin/mawk", "-Wversion"),
    "mtail": Packaged(("mtail",), "usr/bin/mtail"),
    "node_exporter": Packaged(("prometheus-node-exporter",), "usr/bin/prometheus-node-exporter"),
    "pg_dump": Packaged(("postgresql-client-15", "libpq5"), "usr/lib/postgresql/15/bin/pg_dump"),
    "podman": Packaged(_PODMAN, "usr/bin/podman"),
    "postgres": Packaged(_POSTGRES, "usr/lib/postgresql/15/bin/postgres"),
    "prometheus": Packaged(("prometheus",), "usr/bin/prometheus"),
    "promtool": Packaged(("prometheus",), "usr/bin/promtool"),
    "rclone": Packaged(("rclone",), "usr/bin/rclone"),
    "restic": Packaged(("restic",), "usr/bin/restic", "version"),
    "rsync": Packaged(("rsync", "libpopt0", "libxxhash0"), "usr/bin/rsync"),
    "rsyslogd": Packaged(("rsyslog", "libestr0", "libfastjson4"), "usr/sbin/rsyslogd", "-v"),
    "strace": Packaged(("strace", "libunwind8"), "usr/bin/strace"),
    "systemd-analyze": Packaged(
        ("systemd", "libsystemd-shared", "libsystemd0"), "usr/bin/systemd-analyze"
    ),
    "systemd-nspawn": Packaged(_SYSTEMD, "usr/bin/systemd-nspawn"),
    "uwsgi": Packaged(_UWSGI, "usr/bin/uwsgi-core"),
}


def tool(program: str, cache: Path | None = None) -> Path:
    """The program from PATH, else unpacked below `cache`; UnavailableError if neither can be."""
    packaged = PROGRAMS[program]
    if on_path := shutil.which(program) or shutil.which(Path(packaged.path).name):
        return Path(on_path)
    kind = "relocated" if packaged.relocated else "debian"
    home = (cache or cache_directory()) / f"{kind}-{packaged.packages[0]}"
    try:
        cached(home, lambda home: unpack(packaged.packages, home, _download, PROGRAMS))
    except CommandError as error:
        raise UnavailableError(f"{program}: {error}") from error
    return home / program


def unpacked(program: str) -> Path:
    """The program itself, not what starts it with libraries from beside it; likewise."""
    found, packaged = tool(program), PROGRAMS[program]
    itself = found.parent / packaged.path
    return itself if itself.exists() else found.resolve()


def unpack(
    packages: tuple[str, ...], home: Path, download: Download, programs: Mapping[str, Packaged]
) -> None:
    """Unpack what `download` gets into `home`, and write a launcher for each program in it."""
    log = home.with_name(home.name + ".log")
    log.unlink(missing_ok=True)
    download(packages, home, log)
    for archive in home.glob("*.deb"):
        run(["dpkg", "-x", archive, home], log)
        archive.unlink()
    for program, packaged in programs.items():
        if packaged.packages == packages:
            if packaged.relocated:
                relocate(home / packaged.path)
            _write_launcher(home / program, packaged)


def _download(packages: tuple[str, ...], home: Path, log: Path) -> None:
    try:
        run(["apt-get", "download", *packages], log, cwd=home)
    except CommandError:
        # No package lists yet, or older ones than the archive. One list that cannot be fetched
        # makes the update fail though the package may be in another: the download tells.
        lists = home / "apt"
        options = [] if os.getuid() == 0 else _lists_of_its_own(lists)
        with suppress(CommandError):
            run(["apt-get", *options, "update"], log)
        run(["apt-get", *options, "download", *packages], log, cwd=home)
        shutil.rmtree(lists, ignore_errors=True)


def _lists_of_its_own(lists: Path) -> list[str]:
    """The options for users who may not write the system's package lists."""
    (lists / "partial").mkdir(parents=True)
    (lists / "archives/partial").mkdir(parents=True)
    return ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={lists}"]


def _write_launcher(launcher: Path, packaged: Packaged) -> None:
    """The libraries lie where the loader does not look by itself.

    What is relocated is started at home, and can be given absolute paths only.
    """
    home = launcher.parent
    program, (variable, place) = home / packaged.path, packaged.variable
    told = f'{variable}="{home / place}" ' if variable else ""
    libraries = {found.parent for found in home.glob("**/lib/**/*.so*")} or {home}
    search = ":".join(map(str, sorted(libraries)))
    go = f'cd "{home}" && ' if packaged.relocated else ""
    launcher.write_text(f'#!/bin/sh\n{go}{told}LD_LIBRARY_PATH="{search}" exec "{program}" "$@"\n')
    launcher.chmod(0o755)
