"""A Zope or ZEO server on its way from its files to a site."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zope_exporter.system.foreign_root import real_path

from .inventory import Process, Service
from .memory import Remembered

# What runzeo is told in the place of, or over, its zeo.conf.
ADDRESS, FILENAME, MONITOR = "address", "filename", "monitor"
# Where a Zope listens whose server is not that of its ini file; no variable can be called so.
LISTEN = "#listen"


@dataclass(frozen=True)
class Source:
    """The files of a Zope or ZEO server, and what it reads them with.

    `config` outranks the zope.conf that `wsgi_ini` names only if it is given `by_hand`. `variables`
    and `of_any_application` are those of a `CommandLine`; `environ` resolves $(NAME) in zope.conf,
    `directory` (that of the process) its relative paths. With a `root` its files are below that,
    and all paths here are as its process sees them.
    """

    kind: Literal["zope", "zeo"]
    config: Path | None = None
    wsgi_ini: Path | None = None
    variables: tuple[tuple[str, str], ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path | None = None
    debug: bool = False
    process: Process | None = None
    by_hand: bool = False
    root: Path | None = None
    of_any_application: bool = False
    workers: tuple[Process, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def data_fs(self) -> Path | None:
        """What a ZEO server without a zeo.conf serves, which is by what it is known."""
        told = dict(self.variables).get(FILENAME, "") if self.kind == "zeo" else ""
        return Path(told) if told and not self.config else None


@dataclass(frozen=True)
class Candidate:
    """A service, where it was read from, and what is known of the site it belongs to.

    `environ` are the environment variables that its files refer to, `row` is what is remembered of
    it. `site` and `name` are empty until they are settled; once given they stay, whatever else
    appears, so that its series go on: only what the configuration declares outranks that.
    Afterwards `sites` are all it belongs to: only a ZEO server can be in several, one for each of
    its storages. `owner` is the user whose its configuration is, if that is known.
    """

    service: Service
    source: Source
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    site: str = ""
    name: str = ""
    declared: bool = False
    row: Remembered | None = None
    sites: tuple[str, ...] = ()
    owner: int | None = None


def real(path: Path) -> Path:
    """Return the path without symbolic links, as far as it exists."""
    # Path.resolve raises RuntimeError on a loop of links before Python 3.13.
    return Path(real_path(path))
