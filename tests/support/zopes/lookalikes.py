"""Real processes that look like Zope and ZEO servers, and the files of such servers."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_WAIT = "import sys; print('ready', flush=True); sys.stdin.read()\n"


def program(path: Path, text: str = _WAIT) -> Path:
    """Write a Python program that says when it is ready and ends when its standard input does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@contextmanager
def running(
    *argv: str | Path, cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a `program` by this Python with these arguments until the block ends."""
    with subprocess.Popen(
        [sys.executable, *map(str, argv)],
        cwd=cwd,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.stdin.close()


def zope_instance(home: Path, storage: str = "", port: int = 8080) -> Path:
    """Make the files of a Zope instance; return its zope.ini.

    `storage` is the section of the main database, by default its own Data.fs.
    """
    etc = home / "etc"
    etc.mkdir(parents=True)
    storage = storage or f"<filestorage>\n path {home}/var/Data.fs\n</filestorage>"
    (etc / "zope.conf").write_text(
        f"instancehome {home}\n<zodb_db main>\n{storage}\nmount-point /\n</zodb_db>\n"
    )
    ini = etc / "zope.ini"
    ini.write_text(
        "[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/zope.conf\n"
        f"[server:main]\nuse = egg:waitress#main\nlisten = 127.0.0.1:{port}\n"
        "[pipeline:main]\npipeline = zope\n"
    )
    return ini


def zeo_client(address: str, storage: str = "1") -> str:
    """Return the storage section of a client of a ZEO server."""
    return f"<zeoclient>\n server {address}\n storage {storage}\n</zeoclient>"


def zeo_instance(home: Path, address: str, *storages: str) -> Path:
    """Make the files of a ZEO server; return its zeo.conf."""
    (home / "etc").mkdir(parents=True)
    conf = home / "etc" / "zeo.conf"
    served = "".join(
        f"<filestorage {name}>\n path {home}/var/{name}.fs\n</filestorage>\n"
        for name in storages or ("1",)
    )
    conf.write_text(f"<zeo>\n address {address}\n</zeo>\n{served}")
    return conf
