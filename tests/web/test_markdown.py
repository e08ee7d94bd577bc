import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.web.markdown import anchor, to_html

TAGS = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "pre", "code", "strong", "a"}
ALLOWED = TAGS | {"table", "tr", "th", "td"}
ADDRESS = re.compile(r"/(docs|runbooks)/[\w-]+(#[\w-]+)?|#[\w-]+|https://\S+")


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Name\n\n## The Meaning.", '<h1>Name</h1>\n<h2 id="the-meaning">The Meaning.</h2>'),
        ("one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"),
        ("- a\n  more\n- b", "<ul><li>a\n  more\n</li><li>b</li></ul>"),
        ("2. a\n3. b", '<ol start="2"><li>a\n</li><li>b</li></ol>'),
        ("```sh\na && b\n\n# c\n```", '<pre tabindex="0">a &amp;&amp; b\n\n# c</pre>'),
        (
            "1. a:\n\n   ```sh\n   x\n   ```\n\n2. b",
            '<ol start="1"><li>a:</li></ol>\n<pre tabindex="0">x</pre>\n'
            '<ol start="2"><li>b</li></ol>',
        ),
        ("`a<b`, **c**", "<p><code>a&lt;b</code>, <strong>c</strong></p>"),
        ("[See](Other.md#a)", '<p><a href="/docs/Other#a">See</a></p>'),
        (
            "[See](../../alerts/runbooks/Other.md)",
            '<p><a href="/runbooks/Other">See</a></p>',
        ),
        ("[See](#a-b)", '<p><a href="#a-b">See</a></p>'),
        ("[See](https://a.org/?b&c)", '<p><a href="https://a.org/?b&amp;c">See</a></p>'),
        ("[x](../../etc/passwd)", "<p>[x](../../etc/passwd)</p>"),
        ("[x](//evil.org/a.md)", "<p>[x](//evil.org/a.md)</p>"),
        (
            "| a | `b` |\n|---|---|\n| <c> | |",
            "<table><tr><th>a</th><th><code>b</code></th></tr>"
            "<tr><td>&lt;c&gt;</td><td></td></tr></table>",
        ),
        (
            "<!-- not run: a > b -->\n```sh\n<!-- x -->\n```",
            '<pre tabindex="0">&lt;!-- x --&gt;</pre>',
        ),
        ("[x](javascript:alert.md)", "<p>[x](javascript:alert.md)</p>"),
        ("<script>", "<p>&lt;script&gt;</p>"),
        ("", ""),
    ],
)
def test_what_is_known_of_markdown(markdown: str, html: str) -> None:
    assert to_html(markdown, "/docs") == html


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


@given(st.text(alphabet=st.sampled_from("ab1<>&\"'`*[]()#-. \n/:") | st.characters()))
def test_nothing_but_the_few_tags_comes_out(markdown: str) -> None:
    seen = Seen()
    seen.feed(to_html(markdown, "/docs"))
    for tag, attributes in seen.tags:
        assert tag in ALLOWED
        for name, value in attributes:
            assert value is not None
            match tag, name:
                case "a", "href":
                    assert ADDRESS.fullmatch(value)
                case "ol", "start":
                    assert value.isdigit()
                case _:
                    assert (tag[0], name) == ("h", "id")


@pytest.mark.parametrize(
    ("heading", "name"),
    [("Without agent", "without-agent"), ("`a.b`: c/d, e", "ab-cd-e"), ("A-b", "a-b")],
)
def test_the_name_of_a_heading(heading: str, name: str) -> None:
    assert anchor(heading) == name
