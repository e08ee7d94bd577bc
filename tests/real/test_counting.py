"""What real Zopes write is counted exactly, through crashes of the exporter."""

import signal
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.support.programs.exporter import Page, Running, serving
from tests.support.programs.processes import eventually
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance


def requests(page: Page, site: str) -> float:
    series = page["zope_http_requests_total"].items()
    return sum(value for labels, value in series if ("site", site) in labels)


def test_requests_records_and_transactions_survive_a_killed_exporter(
    any_zope: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    name = f"counted-{any_zope.name}"
    zope = start_zope(any_zope, name)
    logs = [*zope.home.glob("var/log/Z4.log"), *zope.home.glob("log/Z2.log")]
    config = tmp_path / "zope-exporter.yml"
    files = {"zope_conf": str(zope.zope_conf)}
    if zope.zope_ini.exists():
        files["wsgi_ini"] = str(zope.zope_ini)
    # No probe of ours is to be among the requests.
    nothing = {"name": "nothing", "url": "http://127.0.0.1:1/"}
    site = {"name": name, "instances": [files], "ping": [nothing]}
    # Of the Zopes of other tests one may hang just now.
    config.write_text(yaml.safe_dump({"discover": False, "sites": [site]}))

    def lines() -> int:
        return sum(len(log.read_bytes().splitlines()) for log in logs)

    def begin() -> Page:
        labels = {"site": name, "database": "main"}
        eventually(lambda: exporter.value("zope_filestorage_objects", **labels) is not None)
        return exporter.page()

    def transactions(page: Page) -> float:
        labels = {"site": name, "database": "main"}
        return page["zope_filestorage_transactions_total"][frozenset(labels.items())]

    flags = ("--config.file", config)
    with serving(tmp_path / "state", *flags, log=tmp_path / "first.log") as exporter:
        first = begin()
        assert requests(first, name) == 0
        before = lines()
        zope.site.commit(["one", "two"])
        second = exporter.page()
        assert requests(second, name) == lines() - before
        assert transactions(second) == transactions(first) + 2
        exporter.process.send_signal(signal.SIGKILL)
    zope.site.commit(["three"])
    with serving(tmp_path / "state", *flags, log=tmp_path / "second.log") as exporter:
        third = begin()
        assert requests(third, name) == lines() - before
        assert transactions(third) == transactions(first) + 3
        assert not_wrong(exporter)


def not_wrong(exporter: Running) -> bool:
    """Return whether all that was read could be read."""
    success = exporter.page()["zope_collector_success"]
    return set(success.values()) == {1.0}
