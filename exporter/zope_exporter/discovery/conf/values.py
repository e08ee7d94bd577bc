"""What the keys of a section mean: numbers, sizes, paths and addresses, as Zope converts them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ZConfig.datatypes import stock_datatypes

from .address import zeo_address
from .section import Section, Unresolved


class Values:
    """Converts values; what cannot be converted is left out and becomes one of the `problems`.

    Zope takes a relative path from the directory it was started in. Where that is not known,
    `assumed` takes its place, and a problem says so.
    """

    def __init__(self, environ: Mapping[str, str], cwd: Path | None, assumed: Path) -> None:
        self.problems: list[str] = []
        self._environ = environ
        self._cwd = cwd
        self._assumed = assumed

    def integer(self, section: Section, key: str, default: int) -> int:
        value = self._convert(section, key, stock_datatypes["integer"])
        return default if value is None else int(value)

    def byte_size(self, section: Section, key: str, default: int) -> int:
        value = self._convert(section, key, stock_datatypes["byte-size"])
        return default if value is None else int(value)

    def boolean(self, section: Section, key: str, default: bool = False) -> bool:
        value = self._convert(section, key, stock_datatypes["boolean"])
        return default if value is None else bool(value)

    def path(self, section: Section, key: str) -> Path | None:
        text = section.value(key)
        if not text or isinstance(text, Unresolved):
            return None
        if text.startswith("~"):
            return self._under_home(section, key, text)
        return self._absolute(section, key, text)

    def zeo_address(self, section: Section, key: str, text: str) -> str | None:
        if isinstance(text, Unresolved):
            return None
        try:
            return zeo_address(str(self._absolute(section, key, text)) if "/" in text else text)
        except ValueError:
            self.problems.append(f"{section.where(key)} is not host:port or a path; correct it")
            return None

    def _convert(self, section: Section, key: str, convert: Callable[[str], Any]) -> Any:
        text = section.value(key)
        if text is None or isinstance(text, Unresolved):
            return None
        try:
            return convert(text)
        except ValueError:
            self.problems.append(f"{section.where(key)} cannot be understood; correct it")
            return None

    def _under_home(self, section: Section, key: str, text: str) -> Path | None:
        home = self._environ.get("HOME")
        user, _, rest = text[1:].partition("/")
        if user or not home:
            self.problems.append(f"{section.where(key)} is in a home directory; write it in full")
            return None
        return Path(home, rest)

    def _absolute(self, section: Section, key: str, text: str) -> Path:
        path = Path(text)
        if self._cwd is None and not path.is_absolute():
            self.problems.append(
                f"{section.where(key)} is relative to the directory of the process, taken to be "
                f"{self._assumed}; write it in full"
            )
        return (self._cwd or self._assumed) / path
