"""Which URLs may be probed, and where redirects may lead."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.clients.http.url import check_url, redirected


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "https://user:pass@host.test:8443/a?b#c",
        "http://[::1]:8080/",
        "http://grün.test/",
        "HTTP://127.0.0.1/",
    ],
)
def test_good(url: str) -> None:
    assert check_url(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "must begin with http:// or https://"),
        ("127.0.0.1:8080/ping", "must begin with http:// or https://"),
        ("localhost/ping", "must begin with http:// or https://"),
        ("//host.test/", "must begin with http:// or https://"),
        ("ftp://host.test/", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://.test/", "names no host"),
        ("http://host.test:0/", "has a port outside of 1 to 65535"),
        ("http://host.test:65536/", "has a port outside of 1 to 65535"),
        ("http://host.test:port/", "is not a valid URL"),
        ("http://user:pa/ss@host.test/", "is not a valid URL"),
        ("http://host.test/\n", "is not a valid URL"),
        ("http://host.test/" + "a" * 70000, "is not a valid URL"),
    ],
)
def test_bad(url: str, problem: str) -> None:
    assert check_url(url) == problem


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("b", "http://host.test/a/b"),
        ("/b?c", "http://host.test/b?c"),
        ("//host.test/b", "http://host.test/b"),
        ("HTTP://HOST.TEST:80/b", "http://host.test/b"),
        ("https://host.test/b", "https://host.test/b"),
        ("https://host.test:8443/b", "https://host.test:8443/b"),
        ("http://host.test:81/", None),
        ("http://host.test.evil.test/", None),
        ("http://host.test@evil.test/", None),
        ("https://evil.test/", None),
        ("https://host.test:99999/", None),
        ("//127.0.0.2/", None),
        ("ftp://host.test/", None),
        ("file:///etc/passwd", None),
        ("javascript:alert(1)", None),
        ("http://[::1", None),
        ("http://host.test:port/", None),
    ],
)
def test_redirects(location: str, leads_to: str | None) -> None:
    found = redirected(httpx.URL("http://host.test/a/"), location)
    assert found == (None if leads_to is None else httpx.URL(leads_to))


def test_a_redirect_never_leads_from_https_to_http() -> None:
    assert redirected(httpx.URL("https://host.test/"), "http://host.test/") is None


PARTS = [
    "user",
    ":",
    "@",
    "/",
    "?",
    "#",
    "[",
    "]",
    "%",
    "..",
    ".",
    "-",
    "_",
    "www.example.org",
    "127.0.0.1",
    "256.1.1.1",
    "1.2.3",
    "01.2.3.4",
    "::1",
    "xn--",
    "grün",
    "a=b&c",
    "0",
    "80",
    "65535",
    "65536",
    "99999",
]


@given(st.lists(st.sampled_from(PARTS), max_size=6).map(lambda parts: f"http://{''.join(parts)}"))
def test_what_is_good_is_so_for_the_library_that_probes_it(text: str) -> None:
    if check_url(text) is None:
        url = httpx.URL(text)
        assert url.scheme in ("http", "https")
        assert url.raw_host
        assert url.port is None or 0 < url.port < 65536


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert check_url(text) is None or text not in ("http://host.test/", "http://127.0.0.1/")
    start = httpx.URL("http://host.test/")
    found = redirected(start, text)
    assert found is None or found.host == "host.test"
