from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zope_exporter.web.markdown import to_html

ALLOWED = {"h1", "h2", "h3", "p", "ul", "ol", "li", "pre", "code", "strong", "a"}


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
