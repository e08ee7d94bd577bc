"""What a probe sends, where it connects, and how it judges an answer."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import re2

from tests.support.hostile.names import Names, prober
from tests.support.hostile.server import HostileServer
from zope_exporter.clients.http.probe import Prober
from zope_exporter.clients.http.result import Result
from zope_exporter.discovery.inventory import Target


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


def probe(server: HostileServer, url: str, names: Names | None = None, **options: Any) -> Result:
    target = Target("target", url, **{"timeout": 20.0, **options})
    return prober(server.ca, names or Names()).probe(target)


def test_the_request(server: HostileServer) -> None:
    probe(server, f"http://good.test:{server.ports['plain']}/ok?a=%20b#c")
    lines = server.asked[-1].decode().split("\r\n")
    assert lines[0] == "GET /ok?a=%20b HTTP/1.1"
    assert f"Host: good.test:{server.ports['plain']}" in lines
    assert "Accept-Encoding: identity" in lines
    assert any(line.startswith("User-Agent: zope-exporter/") for line in lines)
    assert not any(line.startswith(("Cookie", "Authorization")) for line in lines)


def test_a_cookie_is_not_given_back(server: HostileServer) -> None:
    server.script = (b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /\r\n\r\n",)
    before = len(server.asked)
    assert probe(server, server.url("/", "scripted")).reason == "redirect"
    asked = server.asked[before:]
    assert len(asked) == 6
    assert not any(b"Cookie" in head for head in asked)


def test_credentials_go_to_no_other_origin(server: HostileServer) -> None:
    tls = f"https://127.0.0.1:{server.ports['trusted']}/ok"
    url = server.url(f"/redirect?{tls}").replace("//127", "//user:s%C3%A4cret@127", 1)
    assert probe(server, url).reason is None
    first, second = server.asked[-2:]
    assert b"Authorization: Basic dXNlcjpzw6RjcmV0\r\n" in first
    assert b"GET /ok " in second
    assert b"Authorization" not in second


@pytest.mark.parametrize(
    ("path", "options", "match"),
    [
        ("/ok", {}, None),
        ("/ok", {"expect": "1"}, True),
        ("/ok", {"expect": "\t1 "}, True),
        ("/ok", {"expect": ""}, False),
        ("/ok", {"expect": "11"}, False),
        ("/ok", {"expect_regex": r"^\s*\d\s*$"}, True),
        ("/ok", {"expect_regex": "2"}, False),
        ("/ok", {"expect": "1", "expect_regex": "2"}, False),
        ("/nothing", {"expect": ""}, True),
        ("/nothing", {"expect_regex": "."}, False),
        ("/latin-1", {"expect": "Grün"}, False),
        ("/latin-1", {"expect_regex": "^Gr.n$"}, True),
        ("/500", {"expect": "1"}, True),
        ("/gzip", {"expect": "1"}, None),
        ("/silent", {"expect": "1", "timeout": 0.5}, None),
    ],
)
def test_content(
    server: HostileServer, path: str, options: dict[str, Any], match: bool | None
) -> None:
    assert probe(server, server.url(path), **options).content_match is match


def test_a_pattern_that_would_hang_other_engines(server: HostileServer) -> None:
    server.script = (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 100_000)
    result = probe(server, server.url("/", "scripted"), expect_regex="(a|aa)+$b")
    assert result.reason == "content"


def test_an_invalid_pattern_is_our_failure(server: HostileServer) -> None:
    with pytest.raises(re2.error):
        probe(server, server.url("/ok"), expect_regex="(?P<a")


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        ("/404", {"status": (404, 410)}, None),
        ("/ok", {"status": (404, 410)}, "status"),
        ("/500", {"status": (500,)}, None),
        ("/redirect?file:///", {"status": (302,)}, None),
        ("/redirect?ok", {"status": (200,)}, None),
        ("/500", {"expect": "2"}, "status"),
    ],
)
def test_status(
    server: HostileServer, path: str, options: dict[str, Any], reason: str | None
) -> None:
    assert probe(server, server.url(path), **options).reason == reason


def test_an_address_that_refuses_gives_way_to_the_next(server: HostileServer) -> None:
    names = Names({"two.test": ("127.0.0.5", "127.0.0.1")})
    result = probe(server, f"http://two.test:{server.ports['plain']}/ok", names)
    assert result.reason is None


def test_an_address_that_swallows_everything_gives_way_to_the_next(server: HostileServer) -> None:
    server.clog("127.0.0.6", server.ports["plain"])
    names = Names({"two.test": ("127.0.0.6", "127.0.0.1")})
    result = probe(server, f"http://two.test:{server.ports['plain']}/ok", names, timeout=6.0)
    assert result.reason is None
    assert result.phases["connect"] > 2


def test_a_bad_certificate_is_not_shopped_around(server: HostileServer) -> None:
    names = Names({"two.test": ("127.0.0.1", "127.0.0.1")})
    result = probe(server, f"https://two.test:{server.ports['expired']}/ok", names)
    assert result.reason == "certificate"
    assert result.certificate_expiry is not None


def test_phases_not_reached_are_absent(server: HostileServer) -> None:
    assert set(probe(server, server.url("/", "refused")).phases) == {"dns", "connect"}
    assert set(probe(server, "http://no.test/").phases) == {"dns"}


def test_the_system_decides_whom_to_trust_by_default(server: HostileServer) -> None:
    url = f"https://127.0.0.1:{server.ports['trusted']}/ok"
    assert Prober().probe(Target("target", url, timeout=20.0)).reason == "certificate"


def test_that_this_host_has_no_socket_left_is_our_failure(server: HostileServer) -> None:
    """It says nothing of the target, which may be well."""
    program = (
        "import os, resource, sys\n"
        "from zope_exporter.clients.http.probe import Prober\n"
        "from zope_exporter.discovery.inventory import Target\n"
        "prober = Prober()\n"
        "assert prober.probe(Target('target', sys.argv[1], timeout=20.0)).reason is None\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(2) + 1,) * 2)\n"
        "try:\n"
        "    print(prober.probe(Target('target', sys.argv[1], timeout=20.0)))\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    command = [sys.executable, "-c", program, server.url("/ok")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{errno.EMFILE}\n"
