"""Real containers, by Podman's packages unpacked and without a registry.

Their settings and files are in a directory of the test's own, so that neither a Podman that is
installed here nor its containers are touched.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.cache import UnavailableError
from tests.support.programs.debian import tool
from tests.support.programs.processes import eventually

DEADLINE = 120.0
BUILD_SECONDS = 600.0

_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "none"
apparmor_profile = "unconfined"
seccomp_profile = "{seccomp}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
conmon_path = {conmon}
static_dir = "{home}/libpod"
tmp_dir = "{home}/run/libpod"
infra_image = "localhost/pause:latest"
volume_path = "{home}/volumes"
[engine.runtimes]
runc = {runc}
[network]
network_config_dir = "{home}/networks"
"""

_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{home}/images"
runroot = "{home}/run/storage"
[storage.options]
additionalimagestores = {stores}
"""

_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


@dataclass(frozen=True)
class Container:
    """A container that was started; `name` is its id."""

    engine: "Engine"
    name: str

    @property
    def pid(self) -> int:
        """Its first process, as this host numbers it; 0 once it has ended."""
        return int(self.inspect("{{.State.Pid}}"))

    def inspect(self, template: str) -> str:
        return self.engine.podman("inspect", "--format", template, self.name).strip()

    def logs(self) -> str:
        done = self.engine.run_podman("logs", self.name)
        return done.stdout + done.stderr

    def run(self, *command: str, user: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a program in it."""
        flags = ("--user", user) if user else ()
        return self.engine.run_podman("exec", *flags, self.name, *command)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Its exit code, once it has ended.

        Podman's own waiting also waits for the end of a helper, which may have no parent to see it.
        """
        eventually(lambda: self.inspect("{{.State.Running}}") == "false", timeout)
        return int(self.inspect("{{.State.ExitCode}}"))

    def stop(self) -> int:
        """End it as its engine does, with SIGTERM and patience; its exit code."""
        self.engine.podman("stop", "--time", "30", self.name)
        return self.wait()

    def start(self) -> None:
        self.engine.podman("start", self.name)


class Engine:
    """Podman with `home` for all that it keeps; it may use the images of the `stores` too."""

    def __init__(self, home: Path, stores: tuple[Path, ...] = ()) -> None:
        if os.geteuid() != 0:
            raise UnavailableError("only root can start containers here")
        self.program = tool("podman")
        self.home = home
        self._environ = self._configure(stores)

    def _configure(self, stores: tuple[Path, ...]) -> dict[str, str]:
        unpacked, home = self.program.parent, self.home
        for directory in ("user/.config/containers", "volumes", "networks"):
            (home / directory).mkdir(parents=True, exist_ok=True)
        programs = {
            name: json.dumps([f"{unpacked}/usr/{place}/{name}", f"/usr/{place}/{name}"])
            for name, place in (("conmon", "bin"), ("runc", "sbin"))
        }
        seccomp = next(
            place / "usr/share/containers/seccomp.json"
            for place in (unpacked, Path("/"))
            if (place / "usr/share/containers/seccomp.json").exists()
        )
        containers, storage = home / "containers.conf", home / "storage.conf"
        containers.write_text(_CONTAINERS.format(home=home, seccomp=seccomp, **programs))
        storage.write_text(_STORAGE.format(home=home, stores=json.dumps(list(map(str, stores)))))
        (home / "user/.config/containers/policy.json").write_text(json.dumps(_POLICY))
        return {
            "HOME": str(home / "user"),
            "CONTAINERS_CONF": str(containers),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
        }

    def environment(self) -> dict[str, str]:
        """By which a Podman is this engine."""
        return {**os.environ, **self._environ}

    def run_podman(
        self, *words: str | Path, timeout: float = DEADLINE
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.program, *words],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def podman(self, *words: str | Path, timeout: float = DEADLINE) -> str:
        """What Podman prints; UnavailableError with what it says when it fails."""
        done = self.run_podman(*words, timeout=timeout)
        if done.returncode:
            raise UnavailableError(f"podman {words[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def load(self, tree: Path, image: str) -> None:
        """Make an image of a tree of files."""
        with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
            done = subprocess.run(
                [self.program, "import", "--quiet", "-", image],
                env=self.environment(),
                stdin=tar.stdout,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
        if done.returncode or tar.returncode:
            raise UnavailableError(f"podman import: {done.stderr}")

    def build(self, context: Path, image: str, *flags: str | Path) -> str:
        """Build the image of a Dockerfile, with this host's network; what was printed."""
        words = ("--pull=never", "--network=host", "--format=docker", "--tag", image)
        return self.podman("build", *words, *flags, context, timeout=BUILD_SECONDS)

    def start(self, image: str, *command: str, flags: tuple[str | Path, ...] = ()) -> Container:
        name = self.podman("run", "--detach", "--pull=never", *flags, image, *command)
        return Container(self, name.strip())

    def finish(self) -> None:
        """End all containers and leave nothing mounted."""
        # Those whose namespaces others share are removed with these, not by --all.
        while names := self.run_podman("ps", "--all", "--quiet").stdout.split():
            self.podman("rm", "--force", "--depend", "--time", "0", "--volumes", names[0])
        for mounted in self._mounts():
            subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def _mounts(self) -> list[str]:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return [place for place in reversed(mounts) if Path(place).is_relative_to(self.home)]


@contextmanager
def engine(home: Path, stores: tuple[Path, ...] = ()) -> Iterator[Engine]:
    """An engine whose containers end with the block. Raises UnavailableError."""
    made = Engine(home, stores)
    try:
        yield made
    finally:
        made.finish()
