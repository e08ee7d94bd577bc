from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from zope_exporter.web.runbooks import runbook_routes


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks/ZopeSiteDown.md").write_text("# ZopeSiteDown\n\n<script>a</script>\n")
    (tmp_path / "secret.md").write_text("secret")
    app = Starlette(routes=runbook_routes("/page.css", tmp_path / "runbooks"))
    with serving(app) as server, httpx.Client(base_url=server.url) as client:
        yield client


def test_a_runbook(client: httpx.Client) -> None:
    answer = client.get("/runbooks/ZopeSiteDown")
    assert answer.status_code == 200
    assert "<h1>ZopeSiteDown</h1>" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_list(client: httpx.Client) -> None:
    assert '<a href="/runbooks/ZopeSiteDown">' in client.get("/runbooks").text


@pytest.mark.parametrize("name", ["Nothing", "..%2Fsecret", "%2E%2E/secret", "ZopeSiteDown.md", ""])
def test_there_is_nothing_else(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/runbooks/{name}", follow_redirects=False)
    assert answer.status_code in {404, 307}
    assert "secret" not in answer.text


def test_those_that_are_shipped() -> None:
    with serving(Starlette(routes=runbook_routes("/page.css"))) as server:
        page = httpx.get(f"{server.url}/runbooks/ZopeSiteDown")
    assert '<h2 id="mitigation">Mitigation</h2>' in page.text
