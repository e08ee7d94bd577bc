"""The Python environment of a Zope, as its interpreter tells it."""

import json
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.system.subprocesses import run

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
