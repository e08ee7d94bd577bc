"""What real Zopes did, as clients saw it, is what stands on /metrics and in the API."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.programs.exporter import Page, Running, serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_installed import linked_copy
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from tests.support.zopes.manager import Site, undisturbed
from tests.support.zopes.pages import gate, publish_pages
from zope_exporter.clients.agent.package import shipped

StartZope = Callable[..., ZopeInstance]
TOKEN = "0123456789abcdef0123456789abcdef"
PAGES = ("/fine", "/nope", "/boom", "/fine?x=1", "/nope")
SETTINGS = "<product-config zope-exporter>\n  long-request-threshold 0.2\n</product-config>\n"
VERSION = shipped().version


def configuration(directory: Path, site: str) -> Path:
    tokens = directory / "tokens"
    tokens.write_text(f"{TOKEN}\n")
    tokens.chmod(0o600)
    config = directory / "zope-exporter.yml"
    config.write_text(
        # No probe of ours is to be among the requests.
        f"sites: [{{name: {site}, ping: [{{name: nothing, url: 'http://127.0.0.1:1/'}}]}}]\n"
        f"actions: {{token_file: {tokens}}}\n"
    )
    return config


class Metrics:
    """The values of one Zope on a page."""

    def __init__(self, page: Page, zope: str) -> None:
        self._page = page
        self._zope = {("site", zope), ("zope", zope)}

    def get(self, name: str, **labels: str) -> float | None:
        wanted = frozenset(self._zope | set(labels.items()))
        return self._page.get(name, {}).get(wanted)

    def by(self, name: str, label: str) -> Counter[str]:
        series = self._page.get(name, {}).items()
        return Counter(
            {dict(labels)[label]: int(value) for labels, value in series if self._zope <= labels}
        )


def settled(exporter: Running, zope: str) -> Metrics:
    """What is told once nothing is under way."""

    def read() -> Metrics | None:
        found = Metrics(exporter.page(), zope)
        return None if found.get("zope_requests_in_progress") != 0 else found

    found = eventually(read)
    assert found is not None
    return found


def ask_for_pages(site: Site) -> Counter[str]:
    """Ask for good and bad pages, and for two that are in conflict; return the status codes."""
    with ThreadPoolExecutor(4) as pool:
        seen = Counter(str(it.status_code) for it in pool.map(site.get, PAGES * 6))
    seen[str(site.get("/part").status_code)] += 1
    with ThreadPoolExecutor(2) as pool:
        clash = list(pool.map(site.get, ["/clash?retries:int=0"] * 2))
    seen.update(str(it.status_code) for it in clash)
    return seen


def test_requests_and_conflicts_are_on_the_page_as_their_clients_saw_them(
    any_agent: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    name = f"metrics-{any_agent.name}"
    zope = start_zope(any_agent, name)
    publish_pages(zope)
    config = configuration(tmp_path, name)
    answers = "zope_wsgi_responses_total"
    with serving(
        tmp_path / "state", "--config.file", config, log=tmp_path / "exporter.log"
    ) as exporter:

        def look() -> tuple[Metrics, Counter[str], Metrics]:
            return settled(exporter, name), ask_for_pages(zope.site), settled(exporter, name)

        def answered(before: Metrics, after: Metrics) -> Counter[str]:
            return after.by(answers, "code") - before.by(answers, "code")

        before, seen, after = undisturbed(
            look, lambda found: answered(found[0], found[2]).total() == found[1].total()
        )
    assert answered(before, after) == seen
    exceptions = "zope_request_exceptions_total"
    raised = after.by(exceptions, "exception") - before.by(exceptions, "exception")
    assert raised == {"KeyError": 6, "NotFound": 12, "ConflictError": 1}
    count = "zope_request_duration_seconds_count"
    assert (after.get(count) or 0) - (before.get(count) or 0) == seen.total()
    conflicts = {"database": "main", "kind": "write"}
    failed = [
        each.get("zope_conflicts_total", **conflicts, outcome="failed") or 0
        for each in (before, after)
    ]
    assert failed[1] - failed[0] == 1
    assert after.get("zope_conflicts_total", **conflicts, outcome="retried") == 0
    assert after.get("zope_agent_up") == 1
    assert after.get("zope_connection_pool_size", database="main") == 7
    assert after.get("zope_cache_target_objects", database="main") == 5000
    assert (after.get("zope_cache_objects", database="main", state="active") or 0) > 0


def test_long_requests_are_counted_on_the_page_and_explained_by_the_api(
    agent63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(agent63, "long", settings=SETTINGS, threads=2)
    publish_pages(zope)
    gate(zope.home).touch()
    config = configuration(tmp_path, "long")
    with (
        serving(
            tmp_path / "state", "--config.file", config, log=tmp_path / "exporter.log"
        ) as exporter,
        ThreadPoolExecutor(3) as pool,
    ):
        held = [pool.submit(zope.site.get, "/hold?secret=sesame") for _ in range(3)]

        def stuck() -> Metrics | None:
            found = Metrics(exporter.page(), "long")
            return found if found.get("zope_requests_long") == 2 else None

        page = eventually(stuck)
        assert page is not None
        answer = httpx.get(
            f"{exporter.url}/api/v1/instances/long/requests",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            timeout=30,
        )
        gate(zope.home).unlink()
        assert [each.result().status_code for each in held] == [200] * 3
        text = httpx.get(f"{exporter.url}/metrics", trust_env=False, timeout=30).text
    assert page.get("zope_worker_threads_busy") == page.get("zope_worker_threads") == 2
    # One is ours; whatever else watches this host may have asked for a page of its own.
    assert (page.get("zope_request_queue_length") or 0) >= 1
    assert page.get("zope_connections", database="main", state="in_use") == 2
    found: dict[str, Any] = answer.json()
    assert (found["site"], found["zope"]) == ("long", "long")
    for request in found["requests"]:
        assert (request["method"], request["url"]) == ("GET", "/hold?secret")
        assert any(line.endswith(" hold") for line in request["stack"])
    assert len(found["requests"]) == 2
    assert "sesame" not in answer.text
    assert '"/hold' not in text, "an address, where the view that it leads to may be named"
    assert "secret" not in text


def test_a_zope_that_hangs_is_told_and_goes_on_to_be_seen_from_outside(
    agent63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(agent63, "hung")
    config = configuration(tmp_path, "hung")
    with serving(
        tmp_path / "state", "--config.file", config, log=tmp_path / "exporter.log"
    ) as exporter:

        def seen() -> Metrics:
            return Metrics(exporter.page(), "hung")

        assert eventually(lambda: seen().get("zope_agent_up") == 1)
        os.kill(zope.pid, signal.SIGSTOP)
        try:
            stopped = seen()
        finally:
            os.kill(zope.pid, signal.SIGCONT)
        assert stopped.get("zope_agent_up") == 0
        assert stopped.get("zope_worker_threads") is None
        assert stopped.get("zope_process_up") == 1
        assert eventually(lambda: seen().get("zope_worker_threads") == 4)
    told = exporter.log.read_text()
    assert "agent hung/hung: the agent does not answer in time" in told
    assert "no longer: agent hung/hung" in told


def test_the_agent_is_installed_and_why_it_is_not_active_is_told(
    any_zope: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    name = f"install-{any_zope.name}"
    copy = linked_copy(any_zope, tmp_path / "environment")
    python = copy.script("python")

    def status() -> str:
        told = zope_exporter("agent", "status", state_dir=tmp_path / "state").stdout
        (line,) = (line for line in told.splitlines() if line.startswith(f"{name}/{name}: "))
        return line.removeprefix(f"{name}/{name}: ")

    zope = start_zope(copy, name)
    assert status() == (
        "no agent: not installed, as far as can be seen"
        f" (zope-exporter agent install --python {python})"
    )
    installed = zope_exporter("agent", "install", "--python", python, state_dir=tmp_path / "state")
    assert installed.returncode == 0, installed.stderr
    assert f"Put zope-exporter-agent {VERSION} into " in installed.stdout
    assert "sees no Zope" not in installed.stdout
    assert status() == "no agent: installed, but not active yet (restart Zope)"
    zope.stop()
    zope.start()
    socket = zope.home / f"var/zope-exporter-{zope.pid}.sock"
    assert status() == f"agent {VERSION} answers at {socket}"


@pytest.mark.parametrize("interpreter", ["environment/bin/python", "site/bin/zopepy"])
def test_a_buildout_gets_it_by_either_of_its_interpreters(
    buildout: Environment, make_buildout: Callable[..., Buildout], tmp_path: Path, interpreter: str
) -> None:
    copy = linked_copy(buildout, tmp_path / "environment")
    site = make_buildout("site", environment=copy)
    (site.home / "bin/zopepy").symlink_to(site.home / "parts/instance/bin/interpreter")
    state = tmp_path / "state"
    home, _, path = interpreter.partition("/")
    python = {"environment": copy.home, "site": site.home}[home] / path
    installed = zope_exporter("agent", "install", "--python", python, state_dir=state)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    site.start()
    told = zope_exporter("agent", "status", state_dir=state).stdout
    assert f"agent {VERSION} answers at {site.home}/var/instance/zope-exporter-" in told


def test_the_wheel_of_the_exporter_brings_the_agent_along(tmp_path: Path) -> None:
    top = Path(__file__).parents[2]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "-w", tmp_path, top], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "in"], check=True)
    dump = "from zope_exporter.clients.agent.package import shipped; print(sorted(shipped().files))"
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path / 'in')!r}); {dump}",
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    assert told == f"{sorted(shipped().files)}\n"
