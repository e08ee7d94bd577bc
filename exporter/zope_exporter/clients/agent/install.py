"""Putting the agent into the environment of a Zope, without a package index."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zope_exporter.system.subprocesses import run

from .environment import TIMEOUT, Environment, InstallError, last_line, look_into
from .package import NAMESPACE, Package, shipped

Echo = Callable[[str], None]

_MODULE = "Products/ZopeExporterAgent"
_PIP = ("-m", "pip", "--isolated", "--disable-pip-version-check", "install")
_OFFLINE = ("--no-index", "--no-deps", "--force-reinstall", "--no-cache-dir")


def install(python: Path, echo: Echo) -> None:
    """Install the agent where the interpreter `python` finds it, and say what was done.

    Does nothing if it is there already. Raises InstallError.
    """
    environment = look_into(python)
    package = _fitting(shipped(), environment.packages)
    where = environment.packages
    if _is_there(package, environment):
        echo(f"{where} has {package.name} {package.version} already.")
        return
    if not os.access(where, os.W_OK):
        raise InstallError(f"{where} cannot be written: run this as its owner, {where.owner()}")
    with _readable_for_all():
        how = _by_pip(package, environment) if environment.has_pip else _by_hand(package, where)
    after = look_into(python)
    if not _is_there(package, after):
        raise InstallError(f"after {how}: {python} does not see it: {after.agent}")
    echo(f"Put {package.name} {package.version} into {where}, {how}.")
    if not after.has_zope:
        echo(f"{python} sees no Zope: make sure that it is the Python that runs yours.")
    echo("Restart Zope: it loads the agent when it starts.")


def _fitting(package: Package, packages: Path) -> Package:
    """Leave a Products/__init__.py of somebody else alone: pip would remove it with ours."""
    if not (packages / NAMESPACE).exists() or NAMESPACE in _recorded(package, packages):
        return package
    return package.without_namespace()


def _recorded(package: Package, packages: Path) -> str:
    stem = package.name.replace("-", "_")
    records = packages.glob(f"{stem}-*.dist-info/RECORD")
    return "".join(record.read_text() for record in records)


def _is_there(package: Package, environment: Environment) -> bool:
    module = environment.packages / _MODULE
    if Path(environment.agent).parent.resolve() != module.resolve():
        return False
    return all(
        _content(environment.packages / path) == data for path, data in package.files.items()
    )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _by_pip(package: Package, environment: Environment) -> str:
    with tempfile.TemporaryDirectory(prefix="zope-exporter-") as directory:
        wheel = package.write_wheel(Path(directory))
        command = [environment.python, *_PIP, *_OFFLINE, str(wheel)]
        try:
            status, output = run(command, TIMEOUT, Path("/"))
        except TimeoutError as error:
            raise InstallError(f"pip install: {error}") from None
    if status != 0:
        raise InstallError(f"pip install ended with status {status}: {_complaint(output)}")
    return "by pip"


def _complaint(output: str) -> str:
    """What pip calls its error, which hints may follow."""
    errors = (line for line in output.splitlines() if line.lower().startswith("error"))
    return next(errors, last_line(output))


def _by_hand(package: Package, packages: Path) -> str:
    """Copy the files as pip would, so that a pip that comes later can remove them."""
    shutil.rmtree(packages / _MODULE, ignore_errors=True)
    for old in packages.glob(f"{package.name.replace('-', '_')}-*.dist-info"):
        shutil.rmtree(old)
    files = package.complete_files()
    for name in sorted(files, key=lambda name: name == f"{_MODULE}/__init__.py"):
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    (packages / package.dist_info / "INSTALLER").write_text("zope-exporter\n")
    return "by copying, as there is no pip"


@contextmanager
def _readable_for_all() -> Iterator[None]:
    # A Products package that Zope's user may not read would keep Zope from starting.
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
