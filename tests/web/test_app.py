import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.monitoring.metrics_proto import ACCEPT as PROTOBUF
from tests.support.monitoring.metrics_proto import series
from tests.support.web.server import (
    DEADLINE,
    Held,
    Steady,
    app_of,
    eventually,
    exchange,
    get,
    serving,
    status,
)
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.app import make_app, scrape_timeout
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(app_of(Steady(2000))) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


def parse_text(page: str) -> list[Metric]:
    return list(text_string_to_metric_families(page))


def test_the_text_page_parses(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in parse_text(answer.text)}
    assert len(families["zope_size_bytes"].samples) == 2000
    assert families["zope_exporter_scrapes_refused"].samples[0].value == 0


def test_the_openmetrics_page_parses(client: httpx.Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(answer.text))  # type: ignore[no-untyped-call]
    assert "zope_size_bytes" in {family.name for family in families}


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "garbage;;;=,,", "application/vnd.google.protobuf", "é"]
)
def test_any_other_wish_gets_text(client: httpx.Client, accept: str) -> None:
    answer = client.get("/metrics?name[]=a&name[]", headers={b"Accept": accept.encode("latin1")})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert parse_text(answer.text)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_protobuf_page_has_all_that_the_text_has(client: httpx.Client, zipped: bool) -> None:
    headers = {"Accept": PROTOBUF, "Accept-Encoding": "gzip" if zipped else ""}
    answer = client.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/vnd.google.protobuf;")
    assert answer.headers.get("content-encoding") == ("gzip" if zipped else None)
    found = {f"{name}{sorted(labels)}" for name, labels in series(answer.content)}
    assert found == {
        f"{sample.name}{sorted(sample.labels.items())}"
        for family in parse_text(client.get("/metrics").text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("wish", "zipped"),
    [
        ("gzip", True),
        ("deflate, GZIP ; q=0.5", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("x-gzipped", False),
        ("", False),
    ],
)
def test_gzip_is_for_those_who_take_it(client: httpx.Client, wish: str, zipped: bool) -> None:
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": wish}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if zipped else None)
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert b"zope_size_bytes" in (gzip.decompress(body) if zipped else body)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 9.5),
        ("", 9.5),
        ("soon", 9.5),
        ("nan", 9.5),
        ("inf", 9.5),
        ("1e999", 9.5),
        ("0", 9.5),
        ("-3", 9.5),
        ("10s", 9.5),
        ("5", 4.5),
        ("15.5", 15.0),
        ("0.2", 0.1),
        ("1e-320", 0.1),
        ("86400", 60.0),
    ],
)
def test_the_deadline_leaves_time_for_the_way_back(header: str | None, seconds: float) -> None:
    assert scrape_timeout(header) == seconds


def test_a_hanging_source_costs_its_own_series_only() -> None:
    held = Held()
    with serving(app_of(Steady(), held)) as server:
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": "0.6"}
        page = httpx.get(f"{server.url}/metrics", headers=headers).text
        held.release.set()
    assert 'zope_collector_success{collector="held"} 0.0' in page
    assert 'zope_collector_success{collector="steady"} 1.0' in page


def test_metrics_can_be_anywhere() -> None:
    limit = ScrapeLimit()
    with serving(make_app(Registry([limit]), limit, telemetry_path="/a/m")) as server:
        assert "zope_exporter_scrapes_refused_total" in httpx.get(f"{server.url}/a/m").text
        assert httpx.get(f"{server.url}/metrics").status_code == 404
    with serving(make_app(Registry([limit]), limit, telemetry_path="/")) as server:
        assert "zope_exporter_scrapes_refused_total" in httpx.get(server.url).text


@pytest.mark.parametrize(
    "path", ["", "metrics", "/-/healthy", "/{path}", "/a b", "/a?b", "/a#b", "/%61", "/ä"]
)
def test_a_path_that_cannot_be_one_is_refused(path: str) -> None:
    limit = ScrapeLimit()
    with pytest.raises(ValueError, match=r"--web.telemetry-path: .* give a plain path"):
        make_app(Registry([limit]), limit, telemetry_path=path)


def test_routes_of_others_come_first() -> None:
    async def status_page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("mine")

    limit = ScrapeLimit()
    app = make_app(Registry([limit]), limit, routes=[Route("/", status_page)])
    with serving(app) as server:
        assert httpx.get(server.url).text == "mine"


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text", PROTOBUF])
def test_head_has_the_headers_and_no_body(client: httpx.Client, path: str, accept: str) -> None:
    answer = client.head(path, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.content == b""
    full = client.get(path, headers={"Accept": accept, "Accept-Encoding": ""})
    for name in ("content-type", "vary"):
        assert answer.headers.get(name) == full.headers.get(name)
    length = answer.headers.get("content-length")  # only a scrape could tell that of the metrics
    assert length == (None if path == "/metrics" else full.headers["content-length"])


def test_head_of_the_metrics_costs_no_scrape() -> None:
    held = Held()
    with serving(app_of(held)) as server:
        answer = exchange(server, get().replace(b"GET", b"HEAD").replace(b"1.1", b"1.0", 1))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")
    assert not held.begun.is_set()


def test_it_is_ready_once_there_is_something_to_scrape() -> None:
    ready = threading.Event()
    limit = ScrapeLimit()
    app = make_app(Registry([limit]), limit, is_ready=ready.is_set)
    with serving(app) as server, httpx.Client(base_url=server.url) as client:
        answer = client.get("/-/ready")
        assert (answer.status_code, answer.text) == (503, "zope-exporter is not ready.\n")
        assert client.head("/-/ready").status_code == 503
        assert client.get("/-/healthy").status_code == 200
        ready.set()
        answer = client.get("/-/ready")
        assert (answer.status_code, answer.text) == (200, "zope-exporter is ready.\n")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://evil.example/metrics", 200),
        ("HTTP://evil.example:8080/-/healthy?a=http://b/c", 200),
        ("https://[::1]:9673/metrics", 200),
        ("http://evil.example", 200),
        ("http://evil.example/%6detrics", 200),
        ("http://evil.example?a=b", 200),
        ("http://evil.example/nowhere", 404),
        ("http://evil.example//metrics", 404),
        ("http:///metrics", 404),
        ("http://name@evil.example/metrics", 404),
        ("ftp://evil.example/metrics", 404),
        ("/http://evil.example/metrics", 404),
    ],
)
def test_a_target_may_come_in_absolute_form(server: Server, target: str, expected: int) -> None:
    assert status(exchange(server, get(target, ["Connection: close"]))) == expected


def test_the_host_of_a_target_in_absolute_form_counts_and_not_the_header() -> None:
    async def told(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url} {request.headers.getlist('host')}")

    limit = ScrapeLimit()
    app = make_app(Registry([limit]), limit, routes=[Route("/told", told)])
    with serving(app) as server:
        target = "http://there.example:81/told?c=d"
        answer = exchange(server, get(target, ["Connection: close"]))
    assert answer.endswith(b"http://there.example:81/told?c=d ['there.example:81']")


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/-/ready"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(client: httpx.Client, method: str, path: str) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path",
    [
        "/metric",
        "/metrics/",
        "//metrics",
        "/metrics%2f",
        "/metrics%00",
        "/%ff",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/-/",
        "/-/reload",
        "/-/quit",
    ],
)
def test_unknown_paths_are_not_found(server: Server, path: str) -> None:
    answer = exchange(server, get(path, ["Connection: close", "Host: evil.example"]))
    assert status(answer) == 400  # two hosts
    answer = exchange(server, get(path, ["Connection: close"]))
    assert status(answer) == 404
    assert b"location" not in answer.lower()
    assert b"etc/passwd" not in answer


def test_the_server_does_not_say_what_it_runs_on(client: httpx.Client) -> None:
    assert "server" not in client.get("/metrics").headers


def test_too_many_scrapes_are_refused_and_counted_while_health_answers() -> None:
    held = Held()
    patient = {"X-Prometheus-Scrape-Timeout-Seconds": "60"}
    with serving(app_of(held, most_scrapes=1)) as server, ThreadPoolExecutor(1) as pool:
        scrape = f"{server.url}/metrics"
        held_up = pool.submit(httpx.get, scrape, headers=patient, timeout=60)
        assert held.begun.wait(DEADLINE)
        refused = httpx.get(scrape)
        assert refused.status_code == 503
        assert refused.text == "Too many scrapes are running.\n"
        assert httpx.get(f"{server.url}/-/healthy").status_code == 200
        assert httpx.get(f"{server.url}/-/ready").status_code == 200
        held.release.set()
        assert held_up.result().status_code == 200
        page = httpx.get(scrape).text
    assert "zope_exporter_scrapes_refused_total 1.0" in page


def test_a_scrape_leaves_no_thread() -> None:
    with serving() as server:
        httpx.get(f"{server.url}/metrics")
        eventually(lambda: "web" not in {thread.name for thread in threading.enumerate()})
