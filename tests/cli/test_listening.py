import re
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.programs.exporter import serving

# What systemd does with a .socket unit: the socket is descriptor 3, and the process id is told.
HAND_OVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.3", 0))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)  # dup2 leaves it alone where it is 3 already
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def quiet_config(tmp_path: Path) -> Path:
    """A configuration that finds nothing."""
    config = tmp_path / "zope-exporter.yml"
    config.write_text("discover: false\n")
    return config


def test_each_listen_address_is_served(tmp_path: Path, quiet_config: Path) -> None:
    log = tmp_path / "log"
    flags = ["--config.file", str(quiet_config)]
    for host in ("127.0.0.1", "127.0.0.2"):
        flags += ["--web.listen-address", f"{host}:0"]
    with serving(tmp_path, *flags, log=log) as running:
        assert httpx.get(f"{running.url}/-/healthy").status_code == 200
        urls = re.findall(r'listens on (\S+)"', log.read_text())
        assert [url.rpartition(":")[0] for url in urls] == ["http://127.0.0.1", "http://127.0.0.2"]
        assert httpx.get(f"{urls[1]}/metrics", timeout=60).status_code == 200


def test_a_socket_of_systemd_is_served_instead(tmp_path: Path, quiet_config: Path) -> None:
    flags = ("--config.file", quiet_config, "--web.systemd-socket")
    within = (sys.executable, "-c", HAND_OVER)
    with serving(tmp_path, *flags, log=tmp_path / "log", within=within) as running:
        assert running.url.startswith("http://127.0.0.3:")
        assert httpx.get(f"{running.url}/-/healthy").status_code == 200


def test_it_takes_as_many_open_files_as_it_may(tmp_path: Path, quiet_config: Path) -> None:
    flags = ["--config.file", str(quiet_config)]
    few = ("bash", "-c", 'ulimit -S -n 300; ulimit -H -n 3000; exec "$@"', "bash")
    with serving(tmp_path, *flags, log=tmp_path / "log", within=few) as running:
        found = psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert found == (3000, 3000)
