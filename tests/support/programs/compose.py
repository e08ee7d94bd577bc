"""Compose files started by a real engine, and the images they name, made of what can be had.

There is no registry and no network but that which containers share: a file of the test's own is
merged into the compose file, as a user would, for what is different here.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.cache import UnavailableError
from tests.support.programs.debian import unpacked
from tests.support.programs.images import PYTHON
from tests.support.programs.podman import BUILD_SECONDS, Container, Engine

NOBODY = "65534:65534"

# As the official images are, but for the versions, which are those of the distribution, and for the
# directory that its Alertmanager writes to unless it is told another.
_IMAGE = """\
FROM {base}
COPY {name} /bin/{name}
COPY share /usr/share/prometheus
COPY --chown={user} home /{name}
COPY --chown={user} home /var/lib/prometheus
WORKDIR /{name}
USER {user}
VOLUME /{name}
ENTRYPOINT ["/bin/{name}"]
CMD ["--config.file=/etc/{name}/{name}.yml", "--storage.{storage}=/{name}"]
"""


def build_monitoring(engine: Engine, context: Path, name: str, image: str) -> None:
    """Build the image of `prometheus` or `alertmanager`. Raises UnavailableError."""
    program = unpacked(name)
    home = context / "home"
    home.mkdir(parents=True)
    # What was relocated looks for its files from where it is started.
    (home / "usr").symlink_to("/usr")
    shutil.copy(program, context / name)
    shutil.copytree(program.parents[1] / "share/prometheus", context / "share", symlinks=True)
    storage = "tsdb.path" if name == "prometheus" else "path"
    text = _IMAGE.format(base=PYTHON, name=name, user=NOBODY, storage=storage)
    (context / "Dockerfile").write_text(text)
    engine.build(context, f"localhost/{image}", "--layers=false")


@dataclass(frozen=True)
class Project:
    """A compose file and what is merged into it; `name` is what its containers begin with."""

    engine: Engine
    name: str
    files: tuple[Path, ...]
    build_args: str = ""

    def run(self, *words: str) -> str:
        """What podman-compose prints; AssertionError with that when it fails."""
        flags = [word for file in self.files for word in ("--file", str(file))]
        if self.build_args:
            flags.append(f"--podman-build-args={self.build_args}")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "podman_compose", "--podman-path", self.engine.program),
                *("--project-name", self.name, "--in-pod=false", *flags, *words),
            ],
            env=self.engine.environment(),
            cwd=self.files[0].parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def container(self, service: str) -> Container:
        return Container(self.engine, f"{self.name}_{service}_1")

    def logs(self) -> str:
        names = self.engine.podman("ps", "--all", "--format={{.Names}}").split()
        return "\n".join(
            f"--- {name}\n{Container(self.engine, name).logs()[-4000:]}"
            for name in names
            if name.startswith(f"{self.name}_")
        )

    def left(self) -> list[str]:
        """The containers, volumes and networks that are there of it."""
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        found = [
            self.engine.podman(
                *kind, "--format={{.Name}}" if kind[0] != "ps" else "--format={{.Names}}"
            )
            for kind in kinds
        ]
        return [name for text in found for name in text.split() if self.name in name]


@contextmanager
def up(project: Project, *services: str) -> Iterator[Project]:
    """Started in the background; ended with its volumes, whatever happens."""
    try:
        project.run("up", "--detach", *services)
        yield project
    except UnavailableError as error:
        raise AssertionError(f"{error}\n{project.logs()}") from None
    finally:
        project.run("down", "--volumes")
