"""The agent as it comes with this exporter: its files, and a wheel made of them.

Made by hand, because an environment without a package index may lack what builds wheels.
"""

import base64
import configparser
import hashlib
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zope_exporter import __file__ as _zope_exporter

NAMESPACE = "Products/__init__.py"
_HERE = Path(_zope_exporter).parent
# In a wheel of the exporter, and in a checkout of it.
_PLACES = _HERE / "agent_source", _HERE.parent / "agent"


@dataclass(frozen=True)
class Package:
    """A version of the agent: the files to be installed, by their paths below site-packages."""

    name: str
    version: str
    files: dict[str, bytes]

    @property
    def dist_info(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}.dist-info"

    def without_namespace(self) -> "Package":
        """The same for an environment whose Products package is somebody else's."""
        files = {path: data for path, data in self.files.items() if path != NAMESPACE}
        return Package(self.name, self.version, files)

    def write_wheel(self, directory: Path) -> Path:
        """Write a wheel for any Python; return its path."""
        stem = self.dist_info.removesuffix(".dist-info")
        path = directory / f"{stem}-py2.py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, data in self.complete_files().items():
                wheel.writestr(name, data)
        return path

    def complete_files(self) -> dict[str, bytes]:
        """All files with those that pip keeps its books by."""
        files = {**self.files, **{f"{self.dist_info}/{n}": d for n, d in self._metadata().items()}}
        record = f"{self.dist_info}/RECORD"
        lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
        return {**files, record: "".join([*lines, f"{record},,\n"]).encode()}

    def _metadata(self) -> dict[str, bytes]:
        head = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n"
        wheel = "Wheel-Version: 1.0\nGenerator: zope-exporter\nRoot-Is-Purelib: true\n"
        tags = "Tag: py2-none-any\nTag: py3-none-any\n"
        return {
            "METADATA": f"{head}License: MIT\n".encode(),
            "WHEEL": f"{wheel}{tags}".encode(),
            "entry_points.txt": _entry_points(_setup()).encode(),
            "top_level.txt": b"Products\n",
        }


@cache
def shipped() -> Package:
    """Return the agent that comes with this exporter."""
    setup = _setup()
    top = source()
    files = {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted((top / "Products").rglob("*"))
        if path.suffix in (".py", ".xml", ".zcml")
    }
    return Package(setup["metadata"]["name"], setup["metadata"]["version"], files)


def source() -> Path:
    """The directory to be on Python's path for Zope to find the agent in it."""
    return next(place for place in _PLACES if (place / "setup.cfg").is_file())


def _setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read_string((source() / "setup.cfg").read_text("utf-8"))
    return setup


def _entry_points(setup: configparser.ConfigParser) -> str:
    text = ""
    for group, entries in setup["options.entry_points"].items():
        text += f"[{group}]\n{entries.strip()}\n"
    return text


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
