"""A real systemd that boots: in a container made of this machine's own programs.

Its /usr is this machine's, read-only, with systemd's packages unpacked over it where they are not
installed; everything else is its own. It has nothing but a loopback device of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from tests.support.programs.cache import UnavailableError
from tests.support.programs.cgroups import own_cgroups
from tests.support.programs.commands import last_lines
from tests.support.programs.debian import tool
from tests.support.programs.processes import eventually
from zope_exporter.system.subprocesses import Child

DEADLINE = 60.0
BOOT_SECONDS = 60.0
END_SECONDS = 20.0

INIT = "/usr/lib/systemd/systemd"
MERGED = ("bin", "sbin", "lib", "lib64")

# What the tests start and nothing else: none of what is installed here is switched on.
TARGET = """\
[Unit]
Description=What the tests want
Requires=basic.target
After=basic.target
AllowIsolate=yes
"""

_IN_ITS_GROUPS = (
    'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done; shift; exec "$@"'
)

# Killed, nspawn would leave its container behind, and all that runs in it. What begins in a
# namespace of processes ends with the first of them, and that one with us.
_ENDING_WITH_US = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--")

_ASK = """\
import json, sys, urllib.error, urllib.request
url, data, headers = json.load(sys.stdin)
request = urllib.request.Request(url, data and data.encode(), headers)
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    print(json.dumps([0, str(error)]))
    sys.exit()
print(json.dumps([answer.status, answer.read().decode()]))
"""


@dataclass(frozen=True)
class User:
    name: str
    uid: int


@dataclass(frozen=True)
class Booted:
    """A container whose systemd runs; `root` is the tree of its files as it is seen from here."""

    root: Path
    leader: int  # its PID 1

    def run(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a program in it, as its root."""
        return self._entered(("--all",), *command)

    def systemctl(self, *words: str) -> str:
        """What `systemctl` says; AssertionError with the journal if it fails."""
        done = self.run("systemctl", "--no-pager", "--no-ask-password", *words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        shown = self.systemctl("show", unit, *(f"--property={name}" for name in names))
        return dict(line.split("=", 1) for line in shown.splitlines())

    def journal(self, *flags: str) -> str:
        return self.run("journalctl", "--no-pager", "--lines=60", "--output=cat", *flags).stdout

    def ask(
        self,
        url: str,
        data: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, str]:
        """The status and the text of an answer over its loopback; status 0 for none."""
        question = json.dumps([url, data, dict(headers)])
        done = self._entered(("--net",), sys.executable, "-c", _ASK, question=question)
        assert done.returncode == 0, done.stderr
        status, text = json.loads(done.stdout)
        return int(status), str(text)

    def _entered(
        self, namespaces: tuple[str, ...], *command: str | Path, question: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["nsenter", f"--target={self.leader}", *namespaces, "--", *map(str, command)],
            input=question,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )


@contextmanager
def booted(
    root: Path, users: tuple[User, ...] = (), bound: Mapping[Path, Path] = MappingProxyType({})
) -> Iterator[Booted]:
    """Boot a systemd in the tree of `root`, which is made here, until the block ends.

    `bound` are directories of this machine that are there too, read-only, and where. Raises
    UnavailableError.
    """
    if os.geteuid() != 0:
        raise UnavailableError("only root can boot a systemd")
    nspawn = tool("systemd-nspawn")
    _make_tree(root, users)
    machine = f"zope-exporter-{os.getpid()}"
    flags = [
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--private-network",
        "--link-journal=no",
        "--console=pipe",
        f"--machine={machine}",
        f"--directory={root}",
        *_usr(nspawn.parent),
        *(f"--bind-ro={here}:{there}" for here, there in bound.items()),
    ]
    log = root.with_name(root.name + ".log")
    command = [*_ENDING_WITH_US, nspawn, *flags, "--boot", "systemd.unit=trial.target"]
    with own_cgroups(machine) as groups:
        child = Child(["sh", "-c", _IN_ITS_GROUPS, "sh", *map(str, (*groups, "--", *command))], log)
        try:
            yield _wait_for_boot(root, child, log)
        finally:
            child.stop(END_SECONDS)
            for left in Path("/run/systemd/nspawn").glob(f"*/{machine}"):
                shutil.rmtree(left, ignore_errors=True)


def _make_tree(root: Path, users: tuple[User, ...]) -> None:
    for directory in ("etc/systemd/system", "root", "srv", "opt", "tmp", "usr", "var/lib"):
        (root / directory).mkdir(parents=True)
    root.chmod(0o755)
    for name in MERGED:
        if Path("/usr", name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("os-release", "ld.so.cache"):
        shutil.copy(Path("/etc", name), root / "etc")
    everybody = (User("root", 0), User("nobody", 65534), *users)
    lines = [f"{user.name}:x:{user.uid}:" for user in everybody]
    (root / "etc/group").write_text("".join(f"{line}\n" for line in lines))
    (root / "etc/passwd").write_text(
        "".join(
            f"{line}{user.uid}::/:/bin/sh\n" for line, user in zip(lines, everybody, strict=True)
        )
    )
    # Else it would ask for what a first boot has to be told.
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (root / "etc/systemd/system/trial.target").write_text(TARGET)


def _usr(unpacked: Path) -> list[str]:
    """The flags that give it a /usr; what is unpacked there lies over this machine's."""
    if not (unpacked / "usr/bin/systemd-nspawn").exists():
        return ["--bind-ro=/usr"]
    flags = [f"--overlay-ro=/usr:{unpacked}/usr:/usr"]
    for name in MERGED:
        if (unpacked / name).is_dir():  # packages of before everything was in /usr
            layers = [Path("/usr"), unpacked / "usr", unpacked]
            there = [str(layer / name) for layer in layers if (layer / name).is_dir()]
            flags.append(f"--overlay-ro={':'.join(there)}:/usr/{name}")
    return flags


def _wait_for_boot(root: Path, child: Child, log: Path) -> Booted:
    def leader() -> int | None:
        if child.wait(0) is not None:
            raise UnavailableError(f"no systemd can be booted here: {last_lines(log)}")
        for process in psutil.Process(child.pid).children(recursive=True):
            with suppress(psutil.Error):
                if process.cmdline()[:1] == [INIT]:
                    return process.pid
        return None

    def runs() -> bool:
        state = container.run("systemctl", "is-active", "trial.target").stdout.strip()
        return state == "active"

    pid = eventually(leader, BOOT_SECONDS)
    assert pid is not None
    container = Booted(root, pid)
    eventually(runs, BOOT_SECONDS)
    return container
