"""A Zope that no exporter can stand beside, such as one on Windows, by the documented recipe.

In these tests it runs on this host, and `discover: false` is what keeps it from being seen there.
"""

import logging
import logging.handlers
import re
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import MANAGER

StartZope = Callable[..., ZopeInstance]
StartZeo = Callable[..., ZeoServer]

PAGE = Path(__file__).parents[2] / "exporter/docs/remote.md"
USER, PASSWORD = MANAGER
WINDOWS = {"site": "intranet", "zope": "windows"}


def recipe(zope: ZopeInstance, zeo: ZeoServer, syslog: int) -> str:
    """The configuration that the documentation gives, with the addresses of these."""
    found = re.search(r"<!-- elsewhere -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return (
        found[1]
        .replace("zope.example.org:8080", f"127.0.0.1:{zope.port}")
        .replace("zope.example.org:8100", f"127.0.0.1:{zeo.port}")
        .replace("192.0.2.7:5140", f"127.0.0.1:{syslog}")
        .replace("username: monitor", f"username: {USER}")
    )


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config(
    zope63: Environment, start_zope: StartZope, start_zeo: StartZeo, tmp_path: Path
) -> tuple[Path, int]:
    zeo = start_zeo(zope63)
    zope = start_zope(zope63, storage=zeo.client())
    port = free_udp_port()
    file = tmp_path / "config.yml"
    file.write_text(recipe(zope, zeo, port))
    (tmp_path / "zmi-password").write_text(PASSWORD)
    return file, port


def test_what_it_shows_over_the_network_is_watched_and_the_rest_is_said(
    config: tuple[Path, int], tmp_path: Path
) -> None:
    file, _ = config
    told = zope_exporter("check", "--config.file", file, state_dir=tmp_path / "state")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "status 200" in told.stdout
    assert re.search(r"127\.0\.0\.1:\d+ serves storage 1, 1 client", told.stdout)
    assert re.search(r"windows +Zope 6\.3\.0, Python .* \(from the ZMI", told.stdout)
    head, row = (
        re.split(r" {2,}", line.strip())
        for line in told.stdout.splitlines()
        if line.startswith("watched ") or re.match(r"intranet +windows +(yes|NO|-) ", line)
    )
    cells = dict(zip(head[1:], row[2:], strict=True))
    assert {name for name, cell in cells.items() if cell == "yes"} == {
        "probe", "access log", "event log", "zeo"
    }  # fmt: skip
    assert set(cells.values()) == {"yes", "-"}


def test_its_series_are_those_of_what_can_be_seen(config: tuple[Path, int], tmp_path: Path) -> None:
    file, port = config
    with serving(
        tmp_path / "state", "--config.file", file, log=tmp_path / "exporter.log"
    ) as exporter:
        assert eventually(lambda: exporter.value("zope_zmi_up", **WINDOWS)) == 1
        handler = logging.handlers.SysLogHandler(
            ("127.0.0.1", port), logging.handlers.SysLogHandler.LOG_USER
        )
        with closing(handler):
            handler.setFormatter(
                logging.Formatter(
                    "%(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
                )
            )
            handler.emit(logging.makeLogRecord({"levelname": "ERROR", "levelno": 40, "msg": "no"}))

        def errors() -> float | None:
            records = exporter.page().get("zope_event_log_records_total", {})
            found = [value for key, value in records.items() if ("severity", "ERROR") in key]
            return sum(found) if found else None

        eventually(errors)
        page = exporter.page()
    of_site = frozenset({("site", "intranet"), ("target", "home")})
    assert page["zope_ping_up"][of_site] == 1
    assert list(page["zope_zeo_up"].values()) == [1]
    assert "zope_process_up" not in page
    watched = {dict(key)["source"]: value for key, value in page["zope_source_watched"].items()}
    assert watched == dict.fromkeys(("probe", "access_log", "event_log", "zeo"), 1)
