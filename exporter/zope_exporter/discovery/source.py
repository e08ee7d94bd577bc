"""Where the description of a Zope or ZEO server is to be read from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .inventory import Process


@dataclass(frozen=True)
class Source:
    """The files of a Zope or ZEO server, and what it reads them with.

    `variables` are those of `runwsgi zope.ini name=value`; `environ` resolves $(NAME) in zope.conf,
    `directory` (that of the process) its relative paths.
    """

    kind: Literal["zope", "zeo"]
    config: Path | None = None
    wsgi_ini: Path | None = None
    variables: tuple[tuple[str, str], ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path | None = None
    debug: bool = False
    process: Process | None = None


def real(path: Path) -> Path:
    """Return the path without symbolic links, as far as it exists."""
    # Path.resolve raises RuntimeError on a loop of links before Python 3.13.
    return Path(os.path.realpath(path))
