from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from tests.support.web.server import serving
from zope_exporter.web.runbooks import runbook_routes, to_html

ALLOWED = {"h1", "h2", "h3", "p", "ul", "ol", "li", "pre", "code", "strong", "a"}


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
    assert "<h2>Mitigation</h2>" in page.text


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Name\n\n## Meaning", "<h1>Name</h1>\n<h2>Meaning</h2>"),
        ("one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"),
        ("- a\n  more\n- b", "<ul><li>a\n  more\n</li><li>b</li></ul>"),
        ("2. a\n3. b", '<ol start="2"><li>a\n</li><li>b</li></ol>'),
        ("```sh\na && b\n\n# c\n```", "<pre>a &amp;&amp; b\n\n# c</pre>"),
        (
            "1. a:\n\n   ```sh\n   x\n   ```\n\n2. b",
            '<ol start="1"><li>a:</li></ol>\n<pre>x</pre>\n<ol start="2"><li>b</li></ol>',
        ),
        ("`a<b`, **c**", "<p><code>a&lt;b</code>, <strong>c</strong></p>"),
        ("[See](Other.md)", '<p><a href="Other">See</a></p>'),
        ("[x](javascript:alert.md)", "<p>[x](javascript:alert.md)</p>"),
        ("<script>", "<p>&lt;script&gt;</p>"),
        ("", ""),
    ],
)
def test_what_is_known_of_markdown(markdown: str, html: str) -> None:
    assert to_html(markdown) == html


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


@given(st.text(alphabet=st.sampled_from("ab1<>&\"'`*[]()#-. \n/:") | st.characters()))
def test_nothing_but_the_few_tags_comes_out(markdown: str) -> None:
    seen = Seen()
    seen.feed(to_html(markdown))
    for tag, attributes in seen.tags:
        assert tag in ALLOWED
        for name, value in attributes:
            assert (tag, name) in {("a", "href"), ("ol", "start")}
            assert value is not None
            assert value.isdigit() if name == "start" else value.replace("_", "").isalnum()
