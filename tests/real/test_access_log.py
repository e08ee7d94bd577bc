"""The access logs of real Zopes, counted, against what their client saw."""

import re
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.programs.processes import eventually
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import MANAGER, Site
from zope_exporter.collectors.pipeline import access_log_complete, explain_gaps
from zope_exporter.discovery.conf.wsgi_ini import read_wsgi_ini
from zope_exporter.logs.access.counter import REQUESTS, RESPONSE_BYTES, AccessCounter
from zope_exporter.logs.tail.lines import UNPARSED_LINES

Seen = Counter[tuple[str, str]]

ANSWERED = [("GET", "/fine"), ("HEAD", "/fine"), ("OPTIONS", "/fine"), ("PROPFIND", "/fine")]
MISSING = ("GET", "/nope")
BROKEN = ("GET", "/boom")

MISLEADING = {
    "User-Agent": 'evil " 500 1 "',
    "Referer": 'http://r/"q" [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 500 1',
    "X-Forwarded-For": "203.0.113.7, 198.51.100.2",
}


class Log:
    """What is added to a log from now on."""

    def __init__(self, path: Path, site: Site) -> None:
        self._path = path
        # Zope 2 writes the line after the answer: those of earlier requests may still be to come.
        mark = uuid.uuid4().hex
        ask(site, ("GET", f"/?{mark}"))
        marked = re.compile(rf".*{mark}.*\n".encode())
        line = eventually(lambda: marked.search(path.read_bytes()))
        assert line is not None
        self._start = line.end()

    def counted(self, *, answers: int) -> tuple[Seen, float]:
        """The requests and the bytes, once there are as many lines as expected."""
        counter = AccessCounter()
        added = eventually(lambda: self._added(answers))
        counter.feed(added)
        requests: Seen = Counter()
        size = 0.0
        for sample in counter.samples("site", "log"):
            if sample.metric == REQUESTS and sample.value:
                requests[sample.labels[2], sample.labels[3]] = int(sample.value)
            elif sample.metric == RESPONSE_BYTES:
                size = sample.value
            elif sample.metric == UNPARSED_LINES:
                assert sample.value == 0, added
        return requests, size

    def _added(self, answers: int) -> bytes:
        added = self._path.read_bytes()[self._start :]
        return added if added.count(b"\n") >= answers else b""


def ask(site: Site, *requests: tuple[str, str]) -> Seen:
    """Send the requests as the manager; what came of them, by method and status."""
    seen: Seen = Counter()
    for method, path in requests:
        # A connection each: waitress 2 breaks one off whose earlier answer was to HEAD.
        with httpx.Client(base_url=site.url, auth=MANAGER, trust_env=False) as client:
            answer = client.request(method, path, headers=MISLEADING)
        seen[method, str(answer.status_code)] += 1
    return seen


def access_log(zope: ZopeInstance) -> Path:
    if zope.zope_ini.exists():
        return zope.home / "var/log/Z4.log"
    return zope.home / "log/Z2.log"


def test_the_requests_of_every_generation(
    any_zope: Environment, start_zope: Callable[..., ZopeInstance]
) -> None:
    zope = start_zope(any_zope)
    zope.site.commit(["fine"], "hello")
    log = Log(access_log(zope), zope.site)
    with ThreadPoolExecutor(zope.threads) as clients:
        seen = sum(clients.map(lambda _: ask(zope.site, *ANSWERED), range(10)), Seen())
    hello = ask(zope.site, *[("GET", '/fine?title="quoted"'), ("GET", "/fine?a=\\%22%20500%201")])
    requests, size = log.counted(answers=len(ANSWERED) * 10 + 2)
    assert requests == seen + hello
    assert hello == {("GET", "200"): 2}
    assert size >= 5 * len("hello")


def test_a_request_that_zope_2_does_not_answer_is_in_its_log(
    zope213: Environment, start_zope: Callable[..., ZopeInstance]
) -> None:
    zope = start_zope(zope213)
    zope.site.commit(["boom"], '<dtml-call "1/0">')
    log = Log(access_log(zope), zope.site)
    seen = ask(zope.site, MISSING, BROKEN)
    assert seen == {("GET", "404"): 1, ("GET", "500"): 1}
    assert log.counted(answers=2)[0] == seen


@pytest.mark.parametrize("zope", ["zope63", "zope5", "zope48"])
def test_the_shipped_order_hides_errors_and_the_remedy_shows_them(
    zope: str, request: pytest.FixtureRequest, tmp_path: Path, ending: ExitStack
) -> None:
    instance = ZopeInstance(request.getfixturevalue(zope), tmp_path / "instance")
    ini = read_wsgi_ini(instance.zope_ini)
    assert access_log_complete(ini.components) is False
    remedy = explain_gaps(ini.path, ini.pipeline, ini.components)

    ending.enter_context(instance)
    instance.site.commit(["fine"])
    instance.site.commit(["boom"], '<dtml-call "1/0">')
    everything = [*ANSWERED, MISSING, BROKEN]
    assert logged(instance, everything) == ask(instance.site, *ANSWERED)
    instance.stop()

    follow_order(str(remedy), instance.zope_ini)
    ini = read_wsgi_ini(instance.zope_ini)
    assert access_log_complete(ini.components) is True
    assert explain_gaps(ini.path, ini.pipeline, ini.components) is None
    instance.start()
    assert logged(instance, everything) == ask(instance.site, *ANSWERED, MISSING)

    assert "DTML Method standard_error_message in the root" in str(remedy)
    instance.site.commit(["standard_error_message"], "sorry")
    assert logged(instance, everything) == ask(instance.site, *everything)


def logged(instance: ZopeInstance, requests: list[tuple[str, str]]) -> Seen:
    """What the log has of the requests; one that is answered ends them, so that none is late."""
    log = Log(access_log(instance), instance.site)
    ask(instance.site, *requests, ("GET", "/fine"))
    found = log.counted(answers=1)[0]
    found["GET", "200"] -= 1
    return +found


def follow_order(remedy: str, ini: Path) -> None:
    [order] = re.findall(r"set pipeline = ([^,]+),", remedy)
    text, count = re.subn(
        r"^pipeline =\n(?:[ #].*\n)+",
        "pipeline = " + order + "\n",
        ini.read_text(),
        flags=re.MULTILINE,
    )
    assert count == 1
    ini.write_text(text)


def test_plones_order_shows_missing_pages(make_buildout: Callable[..., Buildout]) -> None:
    buildout = make_buildout()
    ini = read_wsgi_ini(Path(buildout.wsgi_ini))
    assert access_log_complete(ini.components) is True
    assert ini.access_log is not None
    buildout.start()
    log = Log(ini.access_log, buildout.site)
    seen = ask(buildout.site, ("GET", "/manage_main"), MISSING)
    assert seen == {("GET", "200"): 1, ("GET", "404"): 1}
    assert log.counted(answers=2)[0] == seen
