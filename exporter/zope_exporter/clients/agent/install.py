"""Putting the agent into the environment of a Zope, without a package index."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.system.subprocesses import run

from .package import NAMESPACE, Package, shipped

TIMEOUT = 60.0
_MARK = "zope-exporter:"
# For Python 2.7 to 3.14, and for the interpreters of buildout, which take -c and no more.
_PROBE = f"""
import json, sys, sysconfig
found = dict(python=sys.executable, packages=sysconfig.get_path("purelib"))
found["version"] = "%d.%d" % sys.version_info[:2]
try:
    import pip
    found["pip"] = True
except Exception:
    found["pip"] = False
try:
    import App
    found["zope"] = True
except Exception:
    found["zope"] = False
try:
    import Products.ZopeExporterAgent as agent
    found["agent"] = agent.__file__
except Exception:
    found["agent"] = str(sys.exc_info()[1])
print({_MARK!r} + json.dumps(found))
"""
Echo = Callable[[str], None]
_MODULE = "Products/ZopeExporterAgent"
_PIP = ("-m", "pip", "--isolated", "--disable-pip-version-check", "install")
_OFFLINE = ("--no-index", "--no-deps", "--force-reinstall", "--no-cache-dir")


class InstallError(Exception):
    """The agent could not be installed: says at which step, why, and what to do."""


@dataclass(frozen=True)
class Environment:
    """`packages` is its site-packages; `agent` where an agent is imported from, or why not."""

    python: str
    version: str
    packages: Path
    has_pip: bool
    has_zope: bool
    agent: str


def look_into(python: Path) -> Environment:
    """Ask an interpreter for its environment. Raises InstallError."""
    try:
        status, output = run([str(python), "-c", _PROBE], TIMEOUT, Path("/"))
    except TimeoutError as error:
        raise InstallError(f"looking into {python}: {error}") from None
    told = [line for line in output.splitlines() if line.startswith(_MARK)]
    if status != 0 or not told:
        raise InstallError(f"{python} is not a Python that works: {last_line(output)}")
    found = json.loads(told[-1].removeprefix(_MARK))
    return Environment(
        python=found["python"] or str(python),
        version=found["version"],
        packages=Path(found["packages"]),
        has_pip=found["pip"],
        has_zope=found["zope"],
        agent=found["agent"],
    )


def last_line(output: str) -> str:
    """The last thing a program said."""
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no output")


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
    # A buildout shows its eggs to its own scripts alone.
    if not after.has_zope and not (python.parent / "buildout").exists():
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
