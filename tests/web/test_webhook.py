"""The webhook over HTTP: every payload that was seen or feared."""

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.jobs.runner import IdleRunner
from tests.support.monitoring.payloads import STARTED, ZERO, ago, alert, payload
from tests.support.web.server import Steady, connect, eventually, serving
from zope_exporter.alerting.webhook.handler import AlertHandler, HandledAlerts
from zope_exporter.alerting.webhook.own_alerts import OwnAlerts
from zope_exporter.collectors.webhook import ALERTS, NOTIFICATIONS, WebhookCollector
from zope_exporter.maintenance.jobs.job import Submission
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.api import API
from zope_exporter.web.app import make_app
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.server import Server
from zope_exporter.web.throttle import LOG_EVERY, Throttle
from zope_exporter.web.tokens import TokenFile
from zope_exporter.web.webhook import webhook_route

TOKEN = "t0p-s3cret-0123456789abcdef"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
JSON = AUTH | {"Content-Type": "application/json"}
ON_ALERT = {"ZopePackOverdue": "pack", "ZopeBackupOverdue": "backup"}
SITES = (("intranet", "main"), ("shop", "main"))


class Hook:
    """A webhook that is served, and all that is behind it."""

    def __init__(self, directory: Path, state: Path | None) -> None:
        self.runner = IdleRunner(SITES)
        self.collector = WebhookCollector(configured=True)
        self.signs: list[str] = []
        token = directory / "token"
        token.write_text(f"am: {TOKEN}: alertmanager\nother: {TOKEN}2: pack\n")
        token.chmod(0o600)
        watchdogs = {"Watchdog": lambda: self.signs.append("Watchdog")}
        handled = HandledAlerts(state, "no directory can be written")
        self.own = OwnAlerts(hostname=lambda: "zope1.example.org")
        handler = AlertHandler(self.runner, handled, ON_ALERT, watchdogs, self.own)
        self.route = webhook_route(TokenFile(token), handler, self.collector)
        self.server: Server

    def post(self, *alerts: dict[str, Any], **changes: Any) -> httpx.Response:
        return self.send(json.dumps(payload(*alerts, **changes)).encode())

    def send(self, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
        return httpx.post(f"{self.server.url}{API}alertmanager", content=body, headers=headers)

    def outcomes(self, *alerts: dict[str, Any]) -> list[str]:
        answer = self.post(*alerts)
        assert answer.status_code in {200, 202}
        return [told["outcome"] for told in answer.json()["alerts"]]

    def counted(self) -> dict[str, float]:
        samples = [s for s in self.collector.collect() if s.metric is NOTIFICATIONS and s.value]
        return {sample.labels[0]: sample.value for sample in samples}


@contextmanager
def hooked(directory: Path, state: Path | None) -> Iterator[Hook]:
    hook = Hook(directory, state)
    limit = ScrapeLimit()
    app = make_app(
        Registry([Steady(), limit]), limit, routes=[hook.route], scraped_as=hook.own.scraped_as
    )
    with serving(app) as server:
        hook.server = server
        yield hook


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    with hooked(tmp_path, tmp_path / "state.sqlite3") as hook:
        yield hook


def test_a_firing_alert_begins_its_action(hook: Hook) -> None:
    answer = hook.post(alert())
    assert answer.status_code == 202
    assert answer.json() == {
        "outcome": "accepted",
        "alerts": [{"fingerprint": "6f3c2a7d9f3a1b22", "outcome": "accepted", "job": 1}],
    }
    [job] = hook.runner.begun
    assert job.task == ("intranet", "main", "pack")
    assert job.origin == "alert ZopePackOverdue"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "version must be"),
        (b"hello", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"4", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"4"', "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (json.dumps(payload(alert())).encode()[:-1] + b', "version": "4"}', "gives a name twice"),
        (json.dumps(payload(alert(), truncatedAlerts=float("nan"))).encode(), "a number that is"),
        (json.dumps(payload(alert(), version="3")).encode(), "version must be '4'"),
        (json.dumps(payload(alert(), version=4)).encode(), "version must be '4'"),
        (json.dumps(payload(alert(), status="pending")).encode(), "status must be firing or"),
        (json.dumps(payload(alert(), alerts={})).encode(), "alerts must be a list"),
        (json.dumps(payload(alert(), alerts=None)).encode(), "alerts must be a list"),
        (json.dumps(payload(alert(), alerts=[[]])).encode(), "alerts[0] must be an object"),
        (json.dumps(payload(alert(), truncatedAlerts="3")).encode(), "truncatedAlerts must be"),
        (json.dumps(payload(alert(), alert(status=""))).encode(), "alerts[1].status must be"),
        (json.dumps(payload(alert(status=["firing"]))).encode(), "alerts[0].status must be"),
        (json.dumps(payload({**alert(), "labels": None})).encode(), "alerts[0].labels must be"),
        (json.dumps(payload(alert(labels={"a": 1}))).encode(), "alerts[0].labels must hold"),
        (json.dumps(payload(alert(labels={"a": "x" * 900_000}))).encode(), "labels must hold"),
        (json.dumps(payload(alert(fingerprint=""))).encode(), "alerts[0].fingerprint must be"),
        (json.dumps(payload(alert(fingerprint=None))).encode(), "alerts[0].fingerprint must be"),
        (json.dumps(payload(alert(startsAt=None))).encode(), "alerts[0].startsAt must be"),
        (json.dumps(payload(alert(startsAt="2026-02-31T00:00:00Z"))).encode(), "startsAt must be"),
        (json.dumps(payload(alert(startsAt="2026-02-01"))).encode(), "startsAt must be"),
        (json.dumps(payload(alert(endsAt="soon"))).encode(), "alerts[0].endsAt must be"),
    ],
)
def test_what_alertmanager_never_sends_is_refused(hook: Hook, body: bytes, reason: str) -> None:
    answer = hook.send(body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert not hook.runner.begun
    assert hook.counted() == {"invalid": 1}


def test_the_limit_of_a_notification(hook: Hook) -> None:
    text = "x" * (1 << 20)
    answer = hook.post(alert(annotations={"description": text}))
    assert answer.status_code == 413
    large = hook.post(alert(annotations={"description": text[:1_000_000]}))
    assert large.status_code == 202


def test_a_refused_notification_is_logged_once_a_minute(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        hook.send(b"{}")
    logged = [r.getMessage() for r in caplog.records if r.name == "zope_exporter.web.webhook"]
    assert logged == ["a notification of token am is refused: version must be '4'"]
    now = 0.0
    throttle = Throttle(lambda: now)
    assert throttle.due()
    assert not throttle.due()
    now = LOG_EVERY
    assert throttle.due()


def test_what_newer_versions_add_is_passed_over(hook: Hook) -> None:
    answer = hook.post(alert(silencedBy=[]), notification_reason="first notification", alertsV5=[])
    assert answer.status_code == 202


def test_what_older_versions_do_not_have_is_not_missed(hook: Hook) -> None:
    body = payload({key: value for key, value in alert().items() if key != "endsAt"})
    for key in ("truncatedAlerts", "groupKey", "commonLabels", "externalURL", "receiver"):
        del body[key]
    assert hook.send(json.dumps(body).encode()).status_code == 202


def test_a_notification_without_alerts_is_nothing_to_do(hook: Hook) -> None:
    answer = hook.post(truncatedAlerts=7)
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "ignored", "alerts": []}


def test_promise_15_resolved_never_begins_or_ends_anything(hook: Hook) -> None:
    resolved = alert(status="resolved", endsAt=ago(minutes=1))
    assert hook.outcomes(resolved) == ["resolved"]
    assert not hook.runner.begun
    hook.post(alert())
    answer = hook.post(resolved, status="resolved")
    assert answer.status_code == 200
    [job] = hook.runner.begun
    assert job.state == "running"


def test_promise_17_the_same_alert_again_is_a_duplicate_whoever_sends_it(hook: Hook) -> None:
    other_zone = STARTED.replace("Z", "+00:00")
    twin = alert("ZopePackOverdue", labels={"severity": "critical"}, fingerprint="f" * 16)
    assert hook.outcomes(alert()) == ["accepted"]
    hook.runner.finish()
    assert hook.outcomes(alert()) == ["duplicate"]
    assert hook.outcomes(alert(startsAt=other_zone)) == ["duplicate"]
    assert Counter(hook.outcomes(twin, alert())) == {"accepted": 1, "duplicate": 1}
    hook.runner.finish()
    assert hook.outcomes(alert(startsAt=ago(seconds=1))) == ["accepted"]
    assert len(hook.runner.begun) == 3


def test_two_alertmanagers_at_the_same_moment(hook: Hook) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hook.post(alert()).status_code, range(24)))
    assert Counter(answers) == {202: 1, 200: 23}
    assert len(hook.runner.begun) == 1


def test_promise_17_once_also_across_a_restart(tmp_path: Path) -> None:
    for expected in ("accepted", "duplicate"):
        with hooked(tmp_path, tmp_path / "state.sqlite3") as hook:
            assert hook.outcomes(alert()) == [expected]


@pytest.mark.parametrize(
    "times",
    [
        {"startsAt": ZERO},
        {"startsAt": "1969-01-01T00:00:00Z"},
        {"startsAt": "9999-12-31T23:59:59.999999999Z"},
        {"startsAt": ago(days=-1)},
        {"startsAt": ago(days=366)},
        {"startsAt": ago(days=8)},
        {"endsAt": ago(hours=1)},
    ],
)
def test_what_is_stale_is_ignored_and_counted(hook: Hook, times: dict[str, str]) -> None:
    assert hook.outcomes(alert(**times)) == ["stale"]
    assert not hook.runner.begun
    assert ALERTS(1, outcome="stale") in list(hook.collector.collect())


@pytest.mark.parametrize(
    "times",
    [
        {"startsAt": ago(days=3)},
        {"startsAt": ago(minutes=-1)},
        {"endsAt": ago(days=-1)},
        {"startsAt": ago(minutes=5)[:19] + "-00:00"},
    ],
)
def test_what_fires_for_days_or_by_another_clock_is_not_stale(
    hook: Hook, times: dict[str, str]
) -> None:
    assert hook.outcomes(alert(**times)) == ["accepted"]


@pytest.mark.parametrize(
    "value",
    ["$(id)", "; rm -rf /", "../../etc/passwd", "a\0b", "a\nb", "LD_PRELOAD=x", "intranet ", ""],
)
def test_labels_choose_only_among_what_is_known(hook: Hook, value: str) -> None:
    for label in ("site", "database"):
        assert hook.outcomes(alert(labels={label: value})) == ["unknown_target"]
    for name in (value, "Pack", "pack"):
        assert hook.outcomes(alert(labels={"alertname": name})) == ["unconfigured"]
    assert not hook.runner.begun
    extra = {"LD_PRELOAD": value, "action": "restore", "days": "0", value: value}
    assert hook.outcomes(alert(labels=extra)) == ["accepted"]
    [job] = hook.runner.begun
    assert job.task == ("intranet", "main", "pack")


def test_an_alert_without_labels_goes_by_what_there_is(hook: Hook) -> None:
    bare = {**alert(), "labels": {"alertname": "ZopePackOverdue"}}
    assert hook.outcomes(bare) == ["unknown_target"]
    hook.runner.known = SITES[:1]
    assert hook.outcomes(bare) == ["accepted"]
    assert hook.outcomes({**alert(), "labels": {}}) == ["unconfigured"]


def of(instance: str) -> dict[str, Any]:
    return alert(fingerprint=instance, labels={"instance": instance})


def scrape(hook: Hook, name: str) -> None:
    """Ask for the metrics as a Prometheus does that knows the exporter by this name."""
    answer = httpx.get(f"{hook.server.url}/metrics", headers={"Host": name}, trust_env=False)
    assert answer.is_success


def test_an_alert_about_another_exporter_is_left_alone(hook: Hook) -> None:
    scrape(hook, "zope1.example.org:9673")
    answer = hook.post(of("zope2.example.org:9673"))
    assert answer.status_code == 200
    assert [told["outcome"] for told in answer.json()["alerts"]] == ["foreign"]
    assert hook.counted() == {"ignored": 1}
    assert hook.runner.begun == []
    ours = "zope1.example.org:9673"
    assert hook.outcomes(of("zope2:9673"), of(ours)) == ["foreign", "accepted"]


def test_whose_alert_it_is_cannot_be_known_before_the_first_scrape(hook: Hook) -> None:
    assert hook.post(of("10.0.0.7:9673")).status_code == 503
    assert hook.runner.begun == []
    scrape(hook, "10.0.0.7:9673")
    assert hook.outcomes(of("10.0.0.7:9673")) == ["accepted"]


def test_what_concerns_no_site_of_ours_need_not_come_again_for_that(hook: Hook) -> None:
    other = alert(labels={"instance": "zope2:9673", "site": "of another host"})
    assert hook.outcomes(other) == ["unknown_target"]


@pytest.mark.parametrize(
    ("instance", "ours"),
    [
        ("zope1.example.org:9673", True),
        ("ZOPE1.example.org:9673", True),
        ("web:80", True),
        ("web", True),
        ("10.0.0.7", True),  # relabelling has cut the port
        ("zope1", True),
        ("zope2", False),
        ("zope1.example.org:9674", False),
        ("10.0.0.7:9674", False),
        ("", False),
    ],
)
def test_names_by_which_an_exporter_knows_its_alerts(instance: str, ours: bool) -> None:
    own = OwnAlerts(hostname=lambda: "zope1")
    assert own.unknown
    for host in ("zope1.example.org:9673", "web", "10.0.0.7:9673", "", "x" * 5000):
        own.scraped_as(host)
    assert not own.unknown
    assert (instance in own) == ours


def test_names_that_are_given_are_the_only_ones() -> None:
    own = OwnAlerts(["plone-live"], hostname=lambda: "zope1")
    own.scraped_as("zope1:9673")
    assert [name for name in ("plone-live", "zope1:9673", "zope1") if name in own] == ["plone-live"]


def test_strangers_do_not_crowd_out_whoever_scrapes() -> None:
    own = OwnAlerts(hostname=lambda: "zope1")
    for number in range(1000):
        own.scraped_as(f"stranger{number}:9673")
        own.scraped_as("zope1:9673")
    assert "zope1:9673" in own
    assert "stranger1:9673" not in own


def test_500_alerts_of_one_group_begin_one_action_for_each_database(hook: Hook) -> None:
    alerts = [
        alert(labels={"n": str(n), "site": site}, fingerprint=f"{n:08x}{site}")
        for n in range(250)
        for site, _ in SITES
    ]
    random.Random(5).shuffle(alerts)
    assert Counter(hook.outcomes(*alerts)) == {"accepted": 2, "duplicate": 498}
    assert {job.task.site for job in hook.runner.begun} == {"intranet", "shop"}
    hook.runner.finish()
    assert Counter(hook.outcomes(*alerts[::-1])) == {"duplicate": 500}
    assert len(hook.runner.begun) == 2


@pytest.mark.parametrize(
    ("code", "outcome"), [("busy", "busy"), ("cooldown", "cooldown"), ("room", "refused")]
)
def test_what_cannot_be_now_is_2xx_with_the_reason_and_done_when_it_can(
    hook: Hook, code: str, outcome: str
) -> None:
    hook.runner.refusal = Submission(None, code, "because")
    for _ in range(3):
        answer = hook.post(alert())
        assert answer.status_code == 200
        [told] = answer.json()["alerts"]
        assert (told["outcome"], told["reason"]) == (outcome, "because")
    hook.runner.refusal = None
    assert hook.outcomes(alert()) == ["accepted"]
    assert hook.counted() == {"accepted": 1, "ignored": 3}


def test_503_only_when_nothing_could_be_accepted(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.runner.broken = True
    for _ in range(3):
        answer = hook.post(alert())
        assert answer.status_code == 503
        assert answer.json()["alerts"][0]["outcome"] == "unavailable"
    assert hook.post(alert("Watchdog"), alert()).status_code == 503
    assert hook.signs == ["Watchdog"]
    assert hook.post(alert("Watchdog"), alert("Other")).status_code == 200
    hook.runner.broken = False
    assert hook.post(alert()).status_code == 202
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1


def test_an_exporter_about_to_end_has_it_sent_again(hook: Hook) -> None:
    hook.runner.refusal = Submission(None, "stopping", "about to end")
    assert hook.post(alert()).status_code == 503


def test_without_a_state_file_nothing_is_done_twice_since_nothing_is_done(tmp_path: Path) -> None:
    with hooked(tmp_path, None) as hook:
        answer = hook.post(alert())
        assert answer.status_code == 503
        assert answer.json()["alerts"][0]["reason"] == "no directory can be written"
        assert hook.post(alert("Watchdog")).status_code == 200
        assert not hook.runner.begun


def test_a_broken_state_file_is_503_once_and_moved_aside(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with hooked(tmp_path, state) as hook:
        state.write_bytes(b"no database" * 1000)
        assert hook.post(alert()).status_code == 503
        assert state.with_name("state.sqlite3.damaged").read_bytes().startswith(b"no database")
        assert hook.post(alert()).status_code == 202


def test_watchdogs_are_signs_of_life_only_while_firing(hook: Hook) -> None:
    assert hook.outcomes(alert("Watchdog"), alert("Watchdog", startsAt=ago(days=90))) == [
        "watchdog",
        "watchdog",
    ]
    assert hook.outcomes(alert("Watchdog", status="resolved")) == ["resolved"]
    assert hook.signs == ["Watchdog"] * 2


def test_a_caller_that_goes_away_does_not_take_the_job_along(hook: Hook) -> None:
    body = json.dumps(payload(alert())).encode()
    with connect(hook.server) as peer:
        peer.sendall(
            f"POST {API}alertmanager HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
    eventually(lambda: len(hook.runner.begun) == 1)
    assert hook.outcomes(alert()) == ["duplicate"]


def test_only_the_token_of_alertmanager_may_deliver(hook: Hook) -> None:
    body = json.dumps(payload(alert())).encode()
    typed = {"Content-Type": "application/json"}
    assert hook.send(body, typed).status_code == 401
    other = {**typed, "Authorization": f"Bearer {TOKEN}2"}
    assert hook.send(body, other).status_code == 403
    assert hook.send(body, {**AUTH, "Content-Type": "text/plain"}).status_code == 415
    assert hook.send(body, {**JSON, "Origin": "http://evil.example.org"}).status_code == 403
    url = f"{hook.server.url}{API}alertmanager"
    assert httpx.get(url, headers=AUTH).status_code == 405
    assert not hook.runner.begun


def test_no_secret_in_answers_and_logs(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "zope_exporter")
    s3cret = {"site": "s3cret", "s3cret": "s3cret"}
    answers = [
        hook.send(b'{"s3cret": s3cret'),
        hook.post(alert(labels=s3cret)),
        hook.post(alert(startsAt="s3cret")),
        hook.post(alert(status="s3cret")),
        hook.post(version="s3cret"),
    ]
    assert "s3cret" not in "".join(answer.text for answer in answers)
    assert "s3cret" not in caplog.text


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = data.items() if isinstance(data, dict) else ()
    for key, value in enumerate(data) if isinstance(data, list) else items:
        yield (*path, key)
        yield from _places(value, (*path, key))


PLACES = list(_places(payload(alert(), alert("Watchdog"))))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hook]:
    directory = tmp_path_factory.mktemp("fuzz")
    with hooked(directory, directory / "state.sqlite3") as hook:
        yield hook


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(place=st.sampled_from(PLACES), value=ANY)
def test_any_json_in_any_place_is_answered(
    fuzzed: Hook, place: tuple[Any, ...], value: Any
) -> None:
    body: Any = payload(alert(), alert("Watchdog"))
    inner = body
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    answer = fuzzed.send(json.dumps(body).encode())
    assert answer.status_code in {200, 202, 400}
    assert answer.json()
    fuzzed.runner.finish()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_answered(fuzzed: Hook, body: bytes) -> None:
    assert fuzzed.send(body).status_code == 400
