"""What real Zopes log, wherever it goes, is on the page as their clients and their logs have it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.programs.exporter import Page, Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import agent_of
from tests.support.zopes.consoles import to_stderr
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import MANAGER
from tests.support.zopes.pages import publish_pages

Requests = Counter[tuple[str, ...]]
REQUESTS = "zope_http_requests_total"
RECORDS = "zope_event_log_records_total"
MATCHES = "zope_event_log_matches_total"
ASKED = [
    *[("GET", "/fine"), ("HEAD", "/fine"), ("POST", "/fine"), ("OPTIONS", "/fine")],
    *[("GET", "/nope"), ("GET", "/boom"), ("GET", "/panic")],
]
TIMES = 5
# As that of python-json-logger, which not every generation has.
JSON_FORMATTER = """\
import json
import logging


class JsonFormatter(logging.Formatter):
    def format(self, record):
        found = {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "name": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            found["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(found)
"""


class Counted:
    """What a page has, and what was counted since an earlier one in the series it has."""

    def __init__(self, page: Page, site: str) -> None:
        # The host may have other Zopes.
        self._page = {
            name: {labels: value for labels, value in series.items() if ("site", site) in labels}
            for name, series in page.items()
        }

    def is_idle(self) -> bool:
        return list(self._page.get("zope_requests_in_progress", {}).values()) == [0]

    def since(self, before: "Counted", name: str, *labels: str) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for series, value in self._page.get(name, {}).items():
            names = dict(series)
            grown = value - before._page.get(name, {}).get(series, 0)
            found[tuple(names[label] for label in labels)] += int(grown)
        return +found

    def logs(self, name: str) -> set[str]:
        """The logs that something was ever counted in."""
        return {dict(s)["log"] for s, value in self._page.get(name, {}).items() if value}

    def differences(self) -> dict[str, int]:
        series = self._page.get("zope_log_difference", {})
        return {dict(labels)["log"]: int(value) for labels, value in series.items()}


def settled(exporter: Running, site: str, compared: set[str]) -> Counted:
    """What is told once nothing is under way, and these logs are compared with the agent."""

    def read() -> Counted | None:
        found = Counted(exporter.page(), site)
        return found if found.is_idle() and found.differences().keys() == compared else None

    found = eventually(read)
    assert found is not None
    return found


def ask(zope: ZopeInstance) -> Requests:
    """Send all requests of the tests, several at a time; what came of them."""

    def send(request: tuple[str, str]) -> tuple[str, ...]:
        with httpx.Client(base_url=zope.site.url, auth=MANAGER, trust_env=False) as client:
            answer = client.request(*request, timeout=60)
        return request[0], str(answer.status_code)

    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(send, ASKED * TIMES))


def in_json(zope: ZopeInstance) -> None:
    """An event log of lines of JSON; the access log stays as it is."""
    [packages] = zope.environment.home.glob("lib/python*/site-packages")
    (packages / "zope_exporter_json.py").write_text(JSON_FORMATTER)
    formatter = "zope_exporter_json.JsonFormatter"
    if zope.zope_ini.exists():
        ini = zope.zope_ini.read_text()
        ini = ini.replace("[formatter_generic]", f"[formatter_generic]\nclass = {formatter}")
        zope.zope_ini.write_text(ini)
        return
    conf = zope.zope_conf.read_text()
    path = "path $INSTANCE/log/event.log"
    assert path in conf
    zope.zope_conf.write_text(conf.replace(path, f"{path}\n    formatter {formatter}"))


def as_it_comes(_zope: ZopeInstance) -> None:
    """Both logs in files of their own."""


@pytest.fixture
def watch(
    any_agent: Environment, tmp_path: Path, ending: ExitStack
) -> Callable[[Callable[[ZopeInstance], None]], tuple[ZopeInstance, Running]]:
    """Start a Zope that logs as it is told, and an exporter that finds it."""

    def start(logs: Callable[[ZopeInstance], None]) -> tuple[ZopeInstance, Running]:
        zope = ZopeInstance(any_agent, tmp_path / f"logs-{any_agent.name}-{logs.__name__}")
        logs(zope)
        ending.enter_context(zope)
        publish_pages(zope, ("boom", "fine", "panic"))
        config = tmp_path / "zope-exporter.yml"
        # No probe of ours is to be among the requests.
        ping = "ping: [{name: nothing, url: 'http://127.0.0.1:1/'}]"
        config.write_text(f"sites: [{{name: {zope.home.name}, {ping}}}]\n")
        state, log = tmp_path / "state", tmp_path / "exporter.log"
        exporter = serving(state, "--config.file", config, log=log)
        return zope, ending.enter_context(exporter)

    return start


Watch = Callable[[Callable[[ZopeInstance], None]], tuple[ZopeInstance, Running]]


def only_probes(requests: Requests) -> bool:
    """Whether these are what another exporter on this host may have asked for."""
    return all(request[-1] == "200" for request in requests)


@pytest.mark.parametrize("logs", [to_stderr, in_json, as_it_comes], ids=lambda logs: logs.__name__)
def test_what_is_logged_is_counted_once_wherever_it_goes(
    watch: Watch, logs: Callable[[ZopeInstance], None]
) -> None:
    zope, exporter = watch(logs)
    name, has_wsgi = zope.home.name, zope.zope_ini.exists()
    # What both have counted is compared from the first look at both.
    logged = set() if logs is to_stderr else {f"{name}-access", f"{name}-event"}
    before = settled(exporter, name, logged)
    seen = ask(zope)
    after = settled(exporter, name, logged)
    records = after.since(before, RECORDS, "severity")
    assert records["CRITICAL",] == TIMES
    # SiteErrorLog's, and since Zope 4 waitress' as well.
    assert records["ERROR",] == TIMES * (2 if has_wsgi else 1)
    unhandled = after.since(before, MATCHES, "pattern")["unhandled_exception",]
    assert unhandled == (TIMES if has_wsgi else 0)
    answered = after.since(before, "zope_wsgi_responses_total", "code")
    assert only_probes(answered - Counter((code,) for _, code in seen.elements()))
    requests = after.since(before, REQUESTS, "method", "code")
    assert only_probes(requests - seen)
    missing = seen - requests
    if logs is to_stderr:
        assert after.logs(REQUESTS) == {f"{name}-access"}
        assert after.logs(RECORDS) == {f"{name}-event"}
        assert after.differences() == {}
    else:
        assert after.logs(REQUESTS) == {f"{name}-access"}
        # Requests of strangers that were under way at the first look may be on either side.
        apart = after.differences()[f"{name}-access"] - missing.total()
        assert abs(apart) <= zope.threads
    # The order of the filters that Zope 4 to 6 ship keeps errors out of their access log.
    lacking = {"404", "500"} if has_wsgi and logs is not to_stderr else set()
    assert {code for _, code in missing} == lacking
    if logs is as_it_comes:
        assert after.logs(RECORDS) == {f"{name}-event"}
        assert after.differences()[f"{name}-event"] == 0
    elif logs is in_json:
        # Whoever understands it, it is one of both.
        [told] = after.logs(RECORDS)
        assert told in {f"{name}-event", f"{name}-agent-event"}


def test_logging_configured_anew_is_counted_again_and_a_restart_begins_at_nothing(
    any_agent: Environment, start_zope: Callable[..., ZopeInstance]
) -> None:
    zope = start_zope(any_agent)
    publish_pages(zope, ("configure_logging", "panic"))
    agent = agent_of(zope.home)

    def panics() -> int:
        status = agent.status()
        assert status["errors"] == {}
        found: int = status["event_log"]["records"].get("CRITICAL", 0)
        return found

    # It is there before Zope says that it is ready, however its server configures logging.
    assert agent.status()["event_log"]["matches"]["started"] == 1
    assert agent.status()["event_log"]["apart"] == []
    assert zope.site.get("/panic").text == "panicked"
    assert panics() == 1
    assert zope.site.get("/configure_logging").text == "configured"
    assert eventually(lambda: zope.site.get("/panic") and panics() > 1)
    before = panics()
    assert zope.site.get("/panic").text == "panicked"
    assert panics() == before + 1
    zope.stop()
    zope.start()
    agent = agent_of(zope.home)
    assert panics() == 0


def test_check_finds_nothing_amiss_with_logs_that_go_to_stderr(
    agent63: Environment, tmp_path: Path, ending: ExitStack
) -> None:
    zope = ZopeInstance(agent63, tmp_path / "stderr-only")
    to_stderr(zope)
    ending.enter_context(zope)
    told = zope_exporter("check", state_dir=tmp_path / "state").stdout
    lines = [line for line in told.splitlines() if zope.home.name in line]
    assert lines
    assert not [line for line in lines if "log is not watched" in line or " log: " in line], told
