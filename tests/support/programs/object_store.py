"""An object store as S3 is one, on this host: moto's server."""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs.cache import UnavailableError, cache_directory, cached
from tests.support.programs.commands import Command, CommandError, run
from tests.support.programs.server import Server, free_port

_REQUIREMENT = "moto[s3,server]==5.1.*"
KEYS = {"AWS_ACCESS_KEY_ID": "backup", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


def made(cache: Path | None = None) -> Path:
    """The environment with the server, made first if need be. Raises UnavailableError."""
    home = (cache or cache_directory()) / "object-store"
    try:
        cached(home, _make)
    except CommandError as error:
        raise UnavailableError(f"an object store: {error}") from error
    return home


def _make(home: Path) -> None:
    log = home.with_name(home.name + ".log")
    log.unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", home], log)
    run([home / "bin/python", "-m", "pip", "install", "--no-cache-dir", _REQUIREMENT], log)


@contextmanager
def object_store(directory: Path) -> Iterator[str]:
    """Give the URL of a store that is empty and takes any keys. Raises UnavailableError."""
    home, port = made(), free_port()
    url = f"http://127.0.0.1:{port}"
    program: Command = [home / "bin/python", home / "bin/moto_server"]
    command = [*program, "-H", "127.0.0.1", "-p", str(port)]
    server = Server(command, directory / "object-store.log")
    try:
        server.wait_until(lambda: _answers(url))
        yield url
    finally:
        server.end()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
