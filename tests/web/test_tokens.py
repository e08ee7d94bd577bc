"""The token file, by itself and behind a real server."""

import logging
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.web.server import Steady, serving
from zope_exporter.app.check import look
from zope_exporter.checks.finding import Severity
from zope_exporter.config.actions import ActionsConfig
from zope_exporter.config.load import ConfigError
from zope_exporter.config.schema import Config
from zope_exporter.metrics.registry import Registry
from zope_exporter.web.api import API, json_response, read_json, require_token
from zope_exporter.web.app import make_app
from zope_exporter.web.scrape_limit import ScrapeLimit
from zope_exporter.web.server import Server
from zope_exporter.web.tokens import PERMISSIONS, TokenFile, TokenOwner, weaknesses

ROOT = "r00t-0123456789abcdef"
NIGHTLY = "n1ghtly+0123456789/abcdef=="
TEXT = f"# who may do what\n\n{ROOT}\r\nnightly : {NIGHTLY} : backup, verify\nreader: {ROOT}2:\n"


def token_file(directory: Path, text: str | bytes = TEXT) -> Path:
    path = directory / "token"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_who_holds_which_token(tmp_path: Path) -> None:
    tokens = TokenFile(token_file(tmp_path))
    assert tokens.owner(f"Bearer {ROOT}") == TokenOwner("line 3", frozenset(PERMISSIONS))
    nightly = tokens.owner(f"bearer  {NIGHTLY}")
    assert nightly == TokenOwner("nightly", frozenset({"backup", "verify"}))
    assert tokens.owner(f"Bearer {ROOT}2") == TokenOwner("reader", frozenset())


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {ROOT}",
        ROOT,
        f"Bearer {ROOT[:-1]}",
        f"Bearer {ROOT} x",
        f"Bearer {ROOT}\0",
        "Bearer \udcff\xff",
        "Bearer " + "x" * 10_000,
        "Bearer nightly",
        "Bearer #",
    ],
)
def test_everybody_else_is_nobody(tmp_path: Path, authorization: str | None) -> None:
    assert TokenFile(token_file(tmp_path)).owner(authorization) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3cret s3cret", "1: holds no token of visible ASCII"),
        ("a\nb: s3crét", "2: holds no token of visible ASCII"),
        (": s3cret", "1: has no name"),
        ("a: s3cret: s3cret", "1: allows what does not exist; there is pack, backup, verify"),
        ("a: s3cret: pack: s3cret", "1: allows what does not exist"),
        ("a: s3cret\nb: s3cret", "2: holds a token given before"),
        (b"s3cret\xff", "is not text"),
        ("s3cret\0", "holds no token"),
        ("s3cret" * 20_000, "is larger than 65536 bytes"),
    ],
)
def test_a_mistake_is_named_and_no_token_shown(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        TokenFile(token_file(tmp_path, text))
    assert reason in str(caught.value)
    assert str(tmp_path / "token") in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing"):
        TokenFile(tmp_path / "token")
    with pytest.raises(ConfigError, match="is not a regular file"):
        TokenFile(tmp_path)


@pytest.mark.parametrize("text", ["", "\n# nobody yet\n", "\ufeff"])
def test_an_empty_file_lets_nobody_in(tmp_path: Path, text: str) -> None:
    tokens = TokenFile(token_file(tmp_path, text))
    assert tokens.owner("Bearer ") is None
    assert tokens.owner(f"Bearer {ROOT}") is None


def test_promise_19_a_broken_token_file_fails_closed_and_recovers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = token_file(tmp_path)
    tokens = TokenFile(path)
    assert tokens.owner(f"Bearer {ROOT}")
    for breaking in (path.unlink, lambda: path.write_text(f"{ROOT} {ROOT}")):
        breaking()
        for _ in range(3):
            with pytest.raises(ConfigError):
                tokens.owner(f"Bearer {ROOT}")
    token_file(tmp_path, "a: an0ther-0123456789")
    assert tokens.owner(f"Bearer {ROOT}") is None
    assert tokens.owner("Bearer an0ther-0123456789") == TokenOwner("a", frozenset(PERMISSIONS))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
    assert ROOT not in caplog.text


def test_what_makes_a_token_less_of_a_secret_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = token_file(tmp_path, f"{ROOT}\na: short")
    path.chmod(0o644)
    TokenFile(path)
    open_to_all, short = weaknesses(path)
    assert open_to_all == f"{path}: every user of this host can read the tokens (chmod 640 {path})"
    assert short == f"{path}:2: the token is short (make one with: openssl rand -hex 32)"
    assert [record.message for record in caplog.records] == [open_to_all, short]


@given(st.binary(max_size=200))
def test_any_bytes_are_tokens_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-token"
    path.write_bytes(text)
    path.chmod(0o600)
    try:
        tokens = TokenFile(path)
    except ConfigError:
        return
    assert tokens.owner("Bearer ") is None


async def _echo(request: Request, holder: TokenOwner) -> Response:
    return json_response({"holder": holder.name, "body": await read_json(request)})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return token_file(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def server(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for passwords too."""
    web_config = tmp_path_factory.mktemp("web") / "web.yml"
    hashed = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
    web_config.write_text(f"basic_auth_users: {{alice: {hashed}}}")
    tokens = TokenFile(path)
    limit = ScrapeLimit()
    routes = [
        Route(f"{API}pack", require_token(tokens, "pack", _echo), methods=["POST"]),
        Route(f"{API}jobs", require_token(tokens, None, _echo), methods=["GET"]),
    ]
    app = make_app(Registry([Steady(), limit]), limit, routes=routes)
    with serving(app, web_config, token_prefix=API) as server:
        yield server


def test_a_token_is_asked_for_instead_of_a_password(server: Server) -> None:
    jobs = f"{server.url}{API}jobs"
    assert httpx.get(jobs, headers=bearer(ROOT)).json() == {"holder": "line 3", "body": {}}
    for refused in (httpx.get(jobs), httpx.get(jobs, auth=("alice", "geheim"))):
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Bearer realm="zope-exporter"'
        assert refused.json() == {"error": "a token is required: Authorization: Bearer TOKEN"}
    assert httpx.get(f"{server.url}/metrics", headers=bearer(ROOT)).status_code == 401
    assert httpx.get(f"{server.url}/metrics", auth=("alice", "geheim")).status_code == 200


def test_a_token_allows_what_it_says(server: Server) -> None:
    refused = httpx.post(f"{server.url}{API}pack", headers=bearer(NIGHTLY), json={})
    assert refused.status_code == 403
    assert refused.json() == {"error": "this token does not allow pack"}
    jobs = httpx.get(f"{server.url}{API}jobs", headers=bearer(NIGHTLY))
    assert jobs.json()["holder"] == "nightly"


def test_a_broken_token_file_is_500_and_the_metrics_go_on(server: Server, path: Path) -> None:
    text = path.read_bytes()
    path.unlink()
    try:
        refused = httpx.get(f"{server.url}{API}jobs", headers=bearer(ROOT))
        assert refused.status_code == 500
        assert refused.json() == {"error": "the token file is broken; see the log"}
        assert httpx.get(f"{server.url}/metrics", auth=("alice", "geheim")).status_code == 200
    finally:
        path.write_bytes(text)
        path.chmod(0o600)
    assert httpx.get(f"{server.url}{API}jobs", headers=bearer(ROOT)).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/metrics", "/api/v1/"])
def test_metrics_cannot_be_put_where_no_password_is_asked_for(path: str) -> None:
    limit = ScrapeLimit()
    with pytest.raises(ValueError, match="cannot be used"):
        make_app(Registry([limit]), limit, telemetry_path=path)


def test_check_tells_of_weak_tokens_and_of_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = token_file(tmp_path)
    path.chmod(0o644)
    actions = ActionsConfig(token_file=path)
    config = Config(state_dir=tmp_path, discover=False, actions=actions)
    [finding] = [found for found in look(config).findings if found.subject == "token_file"]
    assert finding.severity is Severity.WARNING
    assert "chmod 640" in finding.text
    path.unlink()
    with pytest.raises(ConfigError, match="is missing"):
        look(config)
