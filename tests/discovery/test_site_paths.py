"""The paths of a site in the layouts that there are, and what must not come through."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.discovery.candidate import Source
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site, Worker, ZeoServer
from zope_exporter.discovery.services import ServiceReader
from zope_exporter.discovery.site_paths import NAMES, assignments, find_site, site_paths
from zope_exporter.metrics.metric import encodable

FILES = Path(__file__).parent / "conf/files"
ZOPE = Service("zope", "client1", None, process=Process(7, 1.0))


@pytest.mark.parametrize(
    ("layout", "ini", "expected"),
    [
        (
            "plone_filestorage",
            "wsgi.ini",
            {
                "EVENT_LOG": "/srv/plone/var/log/instance.log",
                "ACCESS_LOG": "/srv/plone/var/log/instance-access.log",
            },
        ),
        ("zope6", "zope.ini", {"ACCESS_LOG": "Z4.log", "PID_FILE": "Z4.pid"}),
        ("cookiecutter", "zope.ini", {"EVENT_LOG": "", "PID_FILE": ""}),
        ("plone_backend", "zope.ini", {"PID_FILE": "Z4.pid"}),
    ],
)
def test_a_layout(layout: str, ini: str, expected: dict[str, str]) -> None:
    source = Source("zope", wsgi_ini=FILES / layout / ini, config=FILES / layout / "zope.conf")
    found = site_paths(Site("a", (ServiceReader().read(source).service,)))
    for name, ending in expected.items():
        assert found[name].endswith(ending), found
    assert found["ZOPE_INI"] == str(FILES / layout / ini)
    assert found["URL"].endswith(f":{found['PORT']}/")


def test_a_container_seen_from_its_host() -> None:
    """Each path is one that leads into it."""
    zope = replace(ZOPE, event_log=Path("/proc/7/root/app/var/log/event.log"))
    assert site_paths(Site("a", (zope,)))["EVENT_LOG"] == "/proc/7/root/app/var/log/event.log"


def test_the_zope_that_is_named() -> None:
    site = Site("a", (ZOPE, replace(ZOPE, name="client2", process=Process(8, 1.0))))
    assert site_paths(site)["PID"] == "7"
    assert site_paths(site, "client2")["PID"] == "8"
    with pytest.raises(LookupError, match="a has no Zope called client3"):
        site_paths(site, "client3")


def test_a_worker_by_its_number_and_one_alone() -> None:
    workers = tuple(Worker(number, Process(10 + number, 1.0)) for number in (1, 2))
    several = Site("a", (replace(ZOPE, workers=workers),))
    assert site_paths(several, "client1-2")["PID"] == "12"
    assert site_paths(several)["PID"] == "11"
    assert "client1-1" in site_paths(several)["REQUESTS"]
    alone = Site("a", (replace(ZOPE, workers=workers[:1]),))
    assert site_paths(alone)["PID"] == "11"


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("zeo:8100", "zeo", "8100"), ("[::1]:8100", "::1", "8100"), ("/run/zeo.sock", None, None)],
)
def test_where_a_zeo_server_listens(address: str, host: str | None, port: str | None) -> None:
    found = site_paths(Site("a", zeo=(ZeoServer("zeo", address),)))
    assert (found.get("ZEO_HOST"), found.get("ZEO_PORT")) == (host, port)


@pytest.mark.parametrize(
    "name", ["--config.file=/evil", "a\nreboot", "a\x1b[2J", "\udcff", "a\u202eb"]
)
def test_what_is_no_word_to_be_printed_is_left_out(name: str) -> None:
    log = Path(f"/srv/{name}/event.log")
    found = site_paths(Site(name, (replace(ZOPE, name=name, event_log=log),)))
    assert "SITE" not in found
    assert "ZOPE" not in found
    assert ("EVENT_LOG" in found) == name.startswith("-")


def test_a_site_by_the_name_in_its_labels() -> None:
    site = Site("a\udcff")
    assert find_site(Inventory((site,)), encodable(site.name)) is site
    assert find_site(Inventory((site,)), "a") is None


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_shell_gets_the_very_value_or_none(text: str) -> None:
    found = site_paths(Site(text))
    program = "\n".join([*assignments(found), 'printf %s "$SITE"'])
    done = subprocess.run(
        ["/bin/sh"],
        input=program,
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == found.get("SITE", "")
    assert program.count("\n") == len(NAMES)
