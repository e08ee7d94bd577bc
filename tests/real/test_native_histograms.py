"""Prometheus itself reads our protobuf, with and without native histograms."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.monitoring.prometheus import Prometheus
from tests.support.programs.debian import tool
from tests.support.programs.exporter import Running, serving
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.programs.server import Server, free_port
from tests.support.programs.suites import newer_tool

NATIVE = "zope_http_request_duration_native_seconds"
CLASSIC = "zope_http_request_duration_seconds"
LINE = '::1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 17 {}\n'
MILLISECONDS = sorted(int(1.05**i * 10) for i in range(200))
WIDTH = 2 ** (1 / 8)  # of a bucket

PROTOBUF = "    scrape_protocols: [PrometheusProto, PrometheusText0.0.4]\n"


def newer() -> Path:
    return newer_tool("prometheus", "forky")


@pytest.mark.parametrize(
    ("provide", "job", "features"),
    [
        (partial(tool, "prometheus"), "", ["--enable-feature=native-histograms"]),
        (newer, "", ["--enable-feature=native-histograms"]),
        (newer, PROTOBUF, []),  # as where it is to have timestamps of creation
    ],
    ids=["2.42", "3.5", "3.5 without them"],
)
def test_prometheus_reads_them_and_all_else_as_before(
    provide: Callable[[], Path], job: str, features: list[str], tmp_path: Path
) -> None:
    """With what it takes for them and nothing else, so that it drops what it can."""
    program = require(provide)
    log, config = tmp_path / "access.log", tmp_path / "zope-exporter.yml"
    log.touch()
    config.write_text(
        "discover: false\nsites:\n  - name: intranet\n    logs:\n      access:\n"
        f"        - {{path: {log}, format: '%h %l %u %t \"%r\" %>s %b %D'}}\n"
    )
    flags = ("--config.file", config)
    with serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: exporter.page().get(f"{CLASSIC}_count"))
        with log.open("a") as stream:
            stream.writelines(LINE.format(time * 1000) for time in MILLISECONDS)
        eventually(lambda: [*exporter.page()[f"{CLASSIC}_count"].values()] == [len(MILLISECONDS)])
        write_configuration(exporter, job, tmp_path / "prometheus.yml")
        address = f"127.0.0.1:{free_port()}"
        command: list[str | Path] = [program, f"--config.file={tmp_path}/prometheus.yml", *features]
        command += [f"--web.listen-address={address}", f"--storage.tsdb.path={tmp_path}/tsdb"]
        server = Server(command, tmp_path / "prometheus.log")
        try:
            with closing(Prometheus(f"http://{address}")) as prometheus:
                server.wait_until(lambda: has_scraped(prometheus))
                if features:
                    assert_right(prometheus)
                assert_the_same(prometheus, exporter)
        finally:
            server.end()


def write_configuration(exporter: Running, job: str, file: Path) -> None:
    target = exporter.url.removeprefix("http://")
    file.write_text(
        "scrape_configs:\n  - job_name: zope\n    scrape_interval: 5s\n    scrape_timeout: 5s\n"
        f"{job}    static_configs: [{{targets: ['{target}']}}]\n"
    )


def has_scraped(prometheus: Prometheus) -> bool:
    try:
        return bool(prometheus.query("up{job='zope'} == 1"))
    except (httpx.TransportError, ValueError):  # it does not answer yet, or not in JSON
        return False


def value(prometheus: Prometheus, expression: str) -> float | None:
    found = prometheus.query(expression)
    return float(found[0]["value"][1]) if found else None


def assert_right(prometheus: Prometheus) -> None:
    assert value(prometheus, f"histogram_count({NATIVE})") == len(MILLISECONDS)
    assert value(prometheus, f"histogram_sum({NATIVE})") == pytest.approx(sum(MILLISECONDS) / 1000)
    for quantile in (0.1, 0.5, 0.9, 0.99):
        exact = MILLISECONDS[round(quantile * len(MILLISECONDS)) - 1] / 1000
        found = value(prometheus, f"histogram_quantile({quantile}, {NATIVE})")
        assert found == pytest.approx(exact, rel=WIDTH - 1)


def assert_the_same(prometheus: Prometheus, exporter: Running) -> None:
    """All series of a scrape as text, buckets included; the values where they stand still."""
    page = httpx.get(f"{exporter.url}/metrics", trust_env=False).text
    text = {
        key_of({**sample.labels, "__name__": sample.name}): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    stored = {
        key_of(each["metric"]): float(each["value"][1]) if "value" in each else None
        for each in prometheus.query("{job='zope', __name__=~'zope_.+'}")
    }
    native = key_of({"__name__": NATIVE, "site": "intranet", "log": "access.log"})
    assert stored.keys() - {native} == text.keys()
    still = {key for key in text if dict(key)["__name__"].startswith("zope_http_")}
    assert {key: stored[key] for key in still} == {key: text[key] for key in still}
    assert sum(dict(key)["__name__"] == f"{CLASSIC}_bucket" for key in still) == 15


def key_of(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """A series without what Prometheus puts to it."""
    return frozenset({**labels, "job": "", "instance": ""}.items())
