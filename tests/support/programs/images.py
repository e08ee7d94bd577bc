"""Images for containers, made of the distribution's and Python's packages: there is no registry.

They are kept in a store that any engine of the tests may use and none changes.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.programs.cache import UnavailableError, cache_directory, cached
from tests.support.programs.commands import Command, CommandError, run
from tests.support.programs.debian import tool
from tests.support.programs.podman import BUILD_SECONDS, Engine
from tests.support.zopes.environments import environment

TOP = Path(__file__).parents[3]
SUITE = "trixie"  # whose Python is that of the image which the Dockerfile begins with
PYTHON = "localhost/python:3.13-slim"
ZOPE = "localhost/zope:latest"
WHEELS = "/wheels"
_SOURCE = "/src[demo]"

_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"

_ZOPE_IMAGE = """\
FROM python:3.13-slim
COPY requirements.txt /tmp/
RUN python -m venv /app && /app/bin/pip install --no-cache-dir -r /tmp/requirements.txt
"""


def base_images() -> Path:
    """The store with PYTHON and ZOPE. Raises UnavailableError."""
    zope = environment("zope63")
    freeze: Command = [zope.script("python"), "-m", "pip", "freeze", "--all"]
    found = subprocess.run(freeze, capture_output=True, text=True, check=True, timeout=60).stdout
    requirements = "".join(
        f"{line}\n" for line in found.splitlines() if not line.startswith(("pip=", "setuptools="))
    )
    key = _key(SUITE, _PACKAGES, _ZOPE_IMAGE, requirements)
    home = cache_directory() / f"containers-{key}"
    return _kept(home, lambda home: _make_images(home, requirements)) / "engine/images"


def wheels(images: Path) -> Path:
    """What the Dockerfile installs beside this project, as its Python installs it.

    With it, building the image fetches nothing, with the demo or without. Raises UnavailableError.
    """
    key = _key(str(images), _SOURCE, (TOP / "pyproject.toml").read_text())
    home = cache_directory() / f"containers-wheels-{key}"
    return _kept(home, lambda home: _make_wheels(home, images)) / "wheels"


def _key(*parts: str) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _kept(home: Path, make: Callable[[Path], None]) -> Path:
    try:
        return cached(home, make)
    except (CommandError, subprocess.SubprocessError, OSError) as error:
        raise UnavailableError(f"{home.name}: {error}") from error


def _make_images(home: Path, requirements: str) -> None:
    tree, context = home / "tree", home / "context"
    _bootstrap(tree, home.with_name(home.name + ".log"))
    engine = Engine(home / "engine")
    engine.load(tree, PYTHON)
    shutil.rmtree(tree)
    context.mkdir()
    (context / "Dockerfile").write_text(_ZOPE_IMAGE)
    (context / "requirements.txt").write_text(requirements)
    engine.build(context, ZOPE, *_reach_packages())


def _bootstrap(tree: Path, log: Path) -> None:
    log.unlink(missing_ok=True)
    flags = ("--variant=minbase", f"--include={_PACKAGES}")
    run([tool("debootstrap"), *flags, SUITE, tree], log)
    (tree / "usr/bin/python").symlink_to("python3")
    shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)


def _make_wheels(home: Path, images: Path) -> None:
    made, context = home / "wheels", home / "context"
    made.mkdir()
    context.mkdir()
    for name in ("pyproject.toml", "README.md", "alerts", "grafana", "exporter"):
        source = TOP / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, context / name)
    engine = Engine(home / "engine", (images,))
    mounts = (f"--volume={made}:{WHEELS}", f"--volume={context}:/src", *_reach_packages())
    make = ("pip", "wheel", "--no-cache-dir", "--wheel-dir", WHEELS, _SOURCE, "hatchling")
    container = engine.start(PYTHON, *make, flags=("--network=host", *mounts))
    if container.wait(BUILD_SECONDS):
        raise UnavailableError(f"no wheels for containers: {container.logs()[-4000:]}")
    engine.finish()
    for own in made.glob("zope_exporter-*.whl"):
        own.unlink()


def _reach_packages() -> tuple[str, ...]:
    """How pip in a container reaches its index where it must trust this host's certificates."""
    authorities = os.environ.get("PIP_CERT")
    if not authorities:
        return ()
    return (f"--volume={authorities}:/ca.crt:ro", "--env=PIP_CERT=/ca.crt")
