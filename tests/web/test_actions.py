"""The routes that begin actions and tell of jobs, over HTTP."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.jobs.runner import IdleRunner
from tests.support.web.server import Steady, exchange, serving, status
from zope_exporter.config.actions import ACTIONS
from zope_exporter.maintenance.jobs.job import Submission, Task
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.actions import action_routes
from zope_exporter.web.api import API
from zope_exporter.web.app import make_app
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.server import Server
from zope_exporter.web.tokens import TokenFile

TOKEN = "t0p-s3cret-0123456789abcdef"
BACKUP = "b4ckup-s3cret-0123456789abc"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
SITES = (("intranet", "main"), ("intranet", "temporary"), ("shop", "main"))


@pytest.fixture
def runner() -> IdleRunner:
    return IdleRunner(SITES)


@pytest.fixture
def server(tmp_path: Path, runner: IdleRunner) -> Iterator[Server]:
    path = tmp_path / "token"
    path.write_text(f"root: {TOKEN}\nbackup: {BACKUP}: backup\n")
    path.chmod(0o600)
    limit = ScrapeLimit()
    routes = action_routes(TokenFile(path), runner)
    with serving(make_app(Registry([Steady(), limit]), limit, routes=routes)) as server:
        yield server


def post(server: Server, action: str = "pack", **request: Any) -> httpx.Response:
    request.setdefault("headers", AUTH)
    return httpx.post(f"{server.url}{API}actions/{action}", **request)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_begins_and_can_be_watched(
    server: Server, runner: IdleRunner, action: str
) -> None:
    begun = post(server, action, json={"site": "shop", "database": "main"})
    assert begun.status_code == 202
    [queued] = runner.begun
    assert (queued.task, queued.origin) == (Task("shop", "main", action), "token root")
    job = queued.as_json()
    assert begun.json() == job
    assert begun.headers["location"] == f"{API}jobs/1"
    assert begun.headers["cache-control"] == "no-store"
    watched = httpx.get(server.url + begun.headers["location"], headers=AUTH)
    assert watched.json() == job
    assert httpx.get(f"{server.url}{API}jobs", headers=AUTH).json() == {"jobs": [job]}
    assert len(runner.begun) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"site": "shop"}, ("shop", "main")),
        ({"site": "shop", "database": None}, ("shop", "main")),
        ({"database": "temporary"}, ("intranet", "temporary")),
    ],
)
def test_what_only_one_database_fits_need_not_be_named(
    server: Server, runner: IdleRunner, body: dict[str, str], expected: tuple[str, str]
) -> None:
    assert post(server, json=body).status_code == 202
    [job] = runner.begun
    assert job.task[:2] == expected


def test_a_host_with_one_database_needs_no_body(server: Server, runner: IdleRunner) -> None:
    runner.known = SITES[2:]
    assert post(server).status_code == 202
    runner.finish()
    json = {"Content-Type": "application/json"}
    assert post(server, headers={**AUTH, **json}).status_code == 202


@pytest.mark.parametrize(
    ("request_", "expected", "reason"),
    [
        ({"json": {}}, 400, "several databases could be meant; name the site and database"),
        (
            {"json": {"site": "intranet"}},
            400,
            "several databases could be meant; name the database",
        ),
        ({"json": {"database": "main"}}, 400, "several databases could be meant; name the site"),
        ({"json": {"site": "nowhere"}}, 404, "no such site"),
        ({"json": {"site": ""}}, 404, "no such site"),
        ({"json": {"site": "shop", "database": "temporary"}}, 404, "no such site and database"),
        ({"json": {"site": "shop", "days": 0}}, 400, "nothing else"),
        ({"json": {"site": ["shop"]}}, 400, "must be text"),
        ({"json": {"site": 1}}, 400, "must be text"),
        ({"json": []}, 400, "not a JSON object"),
        ({"json": None, "content": b"null"}, 400, "not a JSON object"),
        ({"content": b""}, 202, ""),
        ({"content": b"{"}, 400, "the body is not JSON"),
        ({"content": b"\xff"}, 400, "the body is not JSON"),
        ({"content": b"\xef\xbb\xbf{}"}, 400, "the body is not JSON"),
        ({"content": "{}".encode("utf-16")}, 400, "the body is not JSON"),
        ({"content": b'{"site": NaN}'}, 400, "a number that is none"),
        ({"content": b'{"site": -Infinity}'}, 400, "a number that is none"),
        ({"content": b'{"site": 1e999}'}, 400, "the body is not JSON"),
        ({"content": b'{"site": ' + b"9" * 5000 + b"}"}, 400, ""),
        ({"content": b'{"site": "shop", "site": "intranet"}'}, 400, "gives a name twice"),
        ({"content": b'{"site": "\\ud800"}'}, 400, "the body is not JSON"),
        ({"content": b"[" * 60_000}, 400, ""),
        ({"content": b" " * 70_000}, 413, "longer than 65536 bytes"),
        ({"content": iter([b" " * 7000] * 10)}, 413, "longer than 65536 bytes"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    server: Server, runner: IdleRunner, request_: dict[str, Any], expected: int, reason: str
) -> None:
    if expected == 202:
        runner.known = SITES[2:]
    headers = {**AUTH, "Content-Type": "application/json"}
    refused = post(server, headers=headers, **request_)
    assert refused.status_code == expected
    assert reason in refused.json().get("error", "")
    assert len(runner.begun) == (expected == 202)


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"],
)
def test_only_json_is_taken(server: Server, runner: IdleRunner, media_type: str) -> None:
    for content in (b'{"site": "shop"}', b""):
        refused = post(server, headers={**AUTH, "Content-Type": media_type}, content=content)
        assert refused.status_code == 415
    untyped = exchange(
        server,
        f"POST {API}actions/pack HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{}".encode(),
    )
    assert status(untyped) == 415
    assert not runner.begun


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:1"},
        {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_web_page_can_make_a_browser_act(
    server: Server, runner: IdleRunner, headers: dict[str, str]
) -> None:
    refused = post(server, headers={**AUTH, **headers}, json={"site": "shop"})
    assert refused.status_code == 403
    assert refused.json() == {"error": "the API is not for other web pages"}
    preflight = httpx.options(
        f"{server.url}{API}actions/pack",
        headers={
            "Origin": "https://evil.example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert preflight.status_code == 405
    for answer in (refused, preflight):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert not runner.begun


def test_our_own_page_can(server: Server, runner: IdleRunner) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert post(server, headers={**AUTH, **own}, json={"site": "shop"}).status_code == 202
    assert len(runner.begun) == 1


def test_nothing_but_post_acts(server: Server, runner: IdleRunner) -> None:
    for action in ACTIONS:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            answer = httpx.request(method, f"{server.url}{API}actions/{action}", headers=AUTH)
            assert answer.status_code == 405
    override = {**AUTH, "X-HTTP-Method-Override": "POST"}
    url = f"{server.url}{API}actions/pack?_method=POST"
    assert httpx.get(url, headers=override).status_code == 405
    assert not runner.begun


@pytest.mark.parametrize("path", ["actions/restore", "actions/recover", "actions/", "actions/Pack"])
def test_other_actions_do_not_exist(server: Server, runner: IdleRunner, path: str) -> None:
    assert httpx.post(f"{server.url}{API}{path}", headers=AUTH, json={}).status_code == 404
    assert not runner.begun


def test_nobody_acts_without_the_right_token(server: Server, runner: IdleRunner) -> None:
    for headers in ({}, {"Authorization": "Bearer wr0ng"}, {"Authorization": f"Basic {TOKEN}"}):
        assert post(server, headers=headers, json={"site": "shop"}).status_code == 401
        for path in ("jobs", "jobs/1"):
            assert httpx.get(f"{server.url}{API}{path}", headers=headers).status_code == 401
    limited = {"Authorization": f"Bearer {BACKUP}"}
    assert post(server, headers=limited, json={"site": "shop"}).status_code == 403
    assert not runner.begun
    assert post(server, "backup", headers=limited, json={"site": "shop"}).status_code == 202
    assert post(server, f"backup?token={TOKEN}", headers={}, json={}).status_code == 401


@pytest.mark.parametrize(
    ("code", "expected"),
    [("busy", 409), ("cooldown", 409), ("room", 409), ("unknown", 404), ("stopping", 503)],
)
def test_a_refusal_is_named(server: Server, runner: IdleRunner, code: str, expected: int) -> None:
    runner.refusal = Submission(None, code, "because")
    refused = post(server, json={"site": "shop"})
    assert refused.status_code == expected
    assert refused.json() == {"error": "because", "code": code}


def test_a_broken_state_file_is_503(server: Server, runner: IdleRunner) -> None:
    runner.broken = True
    for answer in (
        post(server, json={"site": "shop"}),
        httpx.get(f"{server.url}{API}jobs", headers=AUTH),
        httpx.get(f"{server.url}{API}jobs/1", headers=AUTH),
    ):
        assert answer.status_code == 503
        assert answer.json() == {"error": "the state file is broken"}


@pytest.mark.parametrize(
    "number", ["2", "0", "-1", "x", "1.0", "9" * 18, "9" * 5000, "%00", "%D9%A1"]
)
def test_a_job_that_does_not_exist(server: Server, number: str) -> None:
    post(server, json={"site": "shop"})
    assert httpx.get(f"{server.url}{API}jobs/{number}", headers=AUTH).status_code == 404


def test_no_secret_in_any_answer_or_log(
    server: Server, runner: IdleRunner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = [
        post(server, json={"site": "shop"}),
        post(server, json={"site": TOKEN}),
        post(server, json={TOKEN: TOKEN}),
        post(server, content=TOKEN.encode(), headers={**AUTH, "Content-Type": TOKEN}),
        post(server, headers={"Authorization": f"Bearer x{TOKEN}"}, json={"site": "shop"}),
        httpx.get(f"{server.url}{API}jobs", headers=AUTH),
        httpx.get(f"{server.url}{API}jobs/{TOKEN}", headers=AUTH),
        httpx.get(f"{server.url}/metrics", headers=AUTH),
        httpx.get(f"{server.url}/", headers=AUTH),
    ]
    for answer in seen:
        assert "s3cret" not in answer.text + str(answer.headers)
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    assert "s3cret" not in "".join(record.getMessage() for record in ours)
    assert runner.begun
