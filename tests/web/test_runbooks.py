import re
import shlex
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.support.web.server import serving
from zope_exporter.discovery.inventory import Inventory, Service, Site
from zope_exporter.web.runbooks import Known, runbook_routes

PAGE = """\
# ZopeSiteDown

<script>a</script>

<!-- run by tests/docs/test_runbook_commands.py -->
```sh
eval "$(zope-exporter paths SITE)"
zope-exporter backup "$SITE"
tail "$EVENT_LOG" "$ZEO_LOG"
curl -H "Authorization: Bearer $TOKEN" http://localhost:9673"$REQUESTS"
```
"""


def zope(name: str, event_log: str) -> Service:
    return Service("zope", name, Path(f"/srv/{name}/etc/zope.conf"), event_log=Path(event_log))


SITES = (
    Site("intranet", (zope("client1", "/srv/one/Z4.log"), zope("client2", "/srv/two/Z4.log"))),
    Site("it's <b>; rm -rf", (zope("a b", "/srv/$(reboot)/<b>`.log"),)),
    Site("hidden", (zope("--help", "/srv/\x03\nreboot/event.log"),)),
)
KNOWN = Known(lambda: Inventory(SITES), {}, Path("/etc/zope-exporter/config.yml"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks/ZopeSiteDown.md").write_text(PAGE)
    (tmp_path / "secret.md").write_text("secret")
    app = Starlette(routes=runbook_routes("/page.css", KNOWN, tmp_path / "runbooks"))
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


def commands(client: httpx.Client, **query: str) -> list[str]:
    """The lines of the block as a person sees and copies them."""
    page = client.get("/runbooks/ZopeSiteDown", params=query).text
    [block] = re.findall(r'<pre tabindex="0">(.*?)</pre>', page, re.DOTALL)
    assert "<" not in block
    return unescape(block).splitlines()


def test_the_paths_of_the_site_that_is_asked_about_are_filled_in(client: httpx.Client) -> None:
    assert commands(client, site="intranet", zope="client2") == [
        "export ZOPE_EXPORTER_CONFIG=/etc/zope-exporter/config.yml",
        "zope-exporter backup intranet",
        'tail /srv/two/Z4.log "$ZEO_LOG"',
        'curl -H "Authorization: Bearer $TOKEN" '
        "http://localhost:9673'/api/v1/instances/client2/requests?site=intranet'",
    ]
    assert "/srv/one/Z4.log" in commands(client, site="intranet")[2]
    page = client.get("/runbooks/ZopeSiteDown?site=intranet").text
    assert "ZEO_LOG (its log)" in page
    assert '<a href="?site=intranet&amp;zope=client2">' in page


def test_what_a_foreign_configuration_names_is_one_word_of_the_shell(client: httpx.Client) -> None:
    name = SITES[1].name
    _, backup, tail, curl = commands(client, site=name)
    assert shlex.split(backup) == ["zope-exporter", "backup", name]
    assert shlex.split(tail)[1] == "/srv/$(reboot)/<b>`.log"
    assert "'/srv/$(reboot)/<b>`.log'" in tail
    assert shlex.split(curl)[-1].endswith(
        "/instances/a%20b/requests?site=it%27s%20%3Cb%3E%3B%20rm%20-rf"
    )


def test_what_cannot_be_shown_safely_is_left_out(client: httpx.Client) -> None:
    _, _, tail, _ = commands(client, site="hidden")
    assert tail == 'tail "$EVENT_LOG" "$ZEO_LOG"'
    assert "EVENT_LOG (its event log)" in client.get("/runbooks/ZopeSiteDown?site=hidden").text


@pytest.mark.parametrize("query", [{}, {"site": "<i>"}, {"site": "intranet", "zope": "<i>"}])
def test_whom_it_does_not_know_it_does_not_fill_in(
    client: httpx.Client, query: dict[str, str]
) -> None:
    page = client.get("/runbooks/ZopeSiteDown", params=query)
    assert page.status_code == 200
    assert "<i>" not in page.text
    assert ("paths SITE" in page.text) == ("zope" not in query)
    assert "<option" in page.text


def test_the_list_keeps_the_site(client: httpx.Client) -> None:
    page = client.get("/runbooks", params={"site": 'a"b'}).text
    assert 'href="/runbooks/ZopeSiteDown?site=a%22b"' in page
