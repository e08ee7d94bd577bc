"""The API's word on the last errors of a site: for those with a token, from the logs themselves."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.web.last_errors import last_error_routes
from zope_exporter.web.tokens import TokenFile

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
RECORD = "2026-11-22 10:37:54 ERROR [waitress:437][waitress-1] Exception while serving /boom"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    def log(name: str, kind: str = "event", text: str | None = None) -> LogSource:
        site = "shop/a & b" if name == "other" else "intranet"
        return LogSource(site, name, tmp_path / name, kind, text)  # type: ignore[arg-type]

    for name in ("event", "access", "other", "odd"):
        (tmp_path / name).write_text(f"{RECORD}\nKeyError\n")
    (tmp_path / "quiet").write_text("2026-11-22 10:37:54 INFO [Zope:1][MainThread] Ready\n")
    os.mkfifo(tmp_path / "fifo")
    logs = [log("access", "access"), *map(log, ("event", "quiet", "fifo", "gone", "other"))]
    logs.append(log("odd", text="%(message)s"))
    tokens = tmp_path / "tokens"
    tokens.write_text(f"reader: {TOKEN}: errors\npacker: {OTHER}: pack\n")
    routes = last_error_routes(lambda: logs, TokenFile(tokens), timeout=20)
    with serving(Starlette(routes=routes)) as server:
        yield f"{server.url}/api/v1/sites"


def get(url: str, token: str | None = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, trust_env=False, timeout=30)


def test_each_log_tells_its_last_error_or_why_not(base: str, tmp_path: Path) -> None:
    answer = get(f"{base}/intranet/errors")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["site"] == "intranet"
    found = {log["log"]: (log["record"], log["problem"]) for log in answer.json()["logs"]}
    assert found == {
        "event": (f"{RECORD}\nKeyError", ""),
        "quiet": (None, "no error in its last 262 kB"),
        "fifo": (None, "a FIFO, not a regular file"),
        "gone": (None, "No such file or directory"),
        "odd": (None, "its format does not tell where a record begins"),
    }
    assert {log["path"] for log in answer.json()["logs"]} == {str(tmp_path / n) for n in found}


def test_a_name_with_what_has_a_meaning_in_urls(base: str) -> None:
    assert get(f"{base}/shop%2Fa%20%26%20b/errors").json()["logs"][0]["record"] is not None


def test_a_site_that_is_not_there(base: str) -> None:
    answer = get(f"{base}/nowhere/errors")
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no site of this name with an event log"}


def test_only_for_those_with_a_token_for_it(base: str) -> None:
    url = f"{base}/intranet/errors"
    assert get(url, None).status_code == 401
    assert get(url, "wrong").status_code == 401
    assert get(url, OTHER).status_code == 403
    assert get(f"{base}/nowhere/errors", None).status_code == 401
