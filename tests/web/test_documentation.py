from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from zope_exporter.web.documentation import LISTED, documentation_routes

LOGS = """\
# Logs

Of all kinds.

## Log rotation

They are followed
through each rotation.

- by rename, and
  by copytruncate
- by <script>

| key | meaning |
|---|---|
| `rotation` | how often |

```sh
# rotation
logrotate -f
```
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text("# Documentation\n\n[Logs](logs.md)\n")
    (docs / "logs.md").write_text(LOGS)
    (docs / "many.md").write_text("# Many\n\n" + "- often <b>\n" * (LISTED + 1))
    (tmp_path / "secret.md").write_text("secret")
    app = Starlette(routes=documentation_routes("/page.css", docs))
    with serving(app) as server, httpx.Client(base_url=server.url) as client:
        yield client


def found(client: httpx.Client, words: str) -> list[str]:
    text = client.get("/docs", params={"q": words}).text
    return text.partition("<ul>")[2].partition("</ul>")[0].split("<li>")[1:]


def test_the_overview_has_the_search(client: httpx.Client) -> None:
    answer = client.get("/docs")
    assert '<a href="/docs/logs">Logs</a>' in answer.text
    assert '<input type="search" name="q"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self'" in policy


def test_a_page(client: httpx.Client) -> None:
    answer = client.get("/docs/logs")
    assert '<h2 id="log-rotation">Log rotation</h2>' in answer.text
    assert "<script" not in answer.text


def test_a_search_goes_through_breaks_of_lines(client: httpx.Client) -> None:
    (line,) = found(client, "ROTATION followed")
    link = '<a href="/docs/logs#log-rotation">logs: Log rotation</a>'
    assert line == f"{link} They are followed through each rotation.</li>"


def test_headings_rows_and_code_are_found_each_by_itself(client: httpx.Client) -> None:
    lines = [line.partition("</a> ")[2] for line in found(client, "rotation")]
    assert lines == [
        "Log rotation</li>",
        "They are followed through each rotation.</li>",
        "rotation, how often</li>",
        "rotation</li>",
    ]


def test_an_item_is_one_line(client: httpx.Client) -> None:
    assert len(found(client, "rename copytruncate")) == 1
    assert found(client, "rename script") == []


def test_what_is_found_is_text(client: httpx.Client) -> None:
    text = client.get("/docs", params={"q": '<script> "'}).text
    assert "<script" not in text
    assert "Nothing has all of these words." in text
    assert "&lt;script&gt;" in found(client, "<script>")[0]


def test_of_many_lines_only_some_are_listed(client: httpx.Client) -> None:
    assert len(found(client, "often <b>")) == LISTED
    assert "1 more." in client.get("/docs", params={"q": "often <b>"}).text


@pytest.mark.parametrize(
    "name", ["Nothing", "..%2Fsecret", "%2E%2E/secret", "logs.md", "README", ""]
)
def test_there_is_nothing_else(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/docs/{name}", follow_redirects=False)
    assert answer.status_code in {404, 307}
    assert "secret" not in answer.text


def test_those_that_are_shipped() -> None:
    with serving(Starlette(routes=documentation_routes("/page.css"))) as server:
        overview = httpx.get(f"{server.url}/docs")
        page = httpx.get(f"{server.url}/docs/metrics")
    assert '<a href="/docs/installation">' in overview.text
    assert "<td><code>zope_process_up</code></td>" in page.text


@pytest.mark.parametrize("path", ["/docs", "/docs?q=backup", "/docs/metrics"])
def test_the_password_of_the_metrics_is_asked_for(path: str, tmp_path: Path) -> None:
    password = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()
    config = tmp_path / "web.yml"
    config.write_text(f'basic_auth_users: {{alice: "{password}"}}\n')
    with serving(Starlette(routes=documentation_routes("/page.css")), config) as server:
        assert httpx.get(f"{server.url}{path}").status_code == 401
        assert httpx.get(f"{server.url}{path}", auth=("alice", "geheim")).status_code == 200
