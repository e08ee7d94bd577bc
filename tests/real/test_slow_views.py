"""One slow view among fifty of a real Zope: found, and what is said of it is what happened."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.zopes.agent_answers import AgentSocket, agent_of
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance, timed
from tests.support.zopes.pages import publish_pages

EXTERNAL = "Products.ExternalMethod.ExternalMethod.ExternalMethod"
SLOW = f"{EXTERNAL}/slow"
TIMES = 4
FILESTORAGE = """\
<filestorage>
  path $INSTANCE/var/Data.fs
  blob-dir $INSTANCE/var/blobs
</filestorage>"""


def views_of(agent: AgentSocket) -> dict[str, dict[str, float]]:
    """What the agent tells of the last hour, once nothing is under way."""
    eventually(lambda: not agent.status()["requests"]["in_progress"])
    found: dict[str, Any] = agent.get("/v1/views")
    sums: dict[str, dict[str, float]] = {}
    for each in found["slices"]:
        if each["seconds"] == 3600:
            for name, row in each["views"].items():
                of = sums.setdefault(name, dict.fromkeys(found["fields"], 0))
                for field, value in zip(found["fields"], row, strict=True):
                    of[field] += value
    return sums


def use(zope: ZopeInstance) -> float:
    """Ask a few times for a view that is slow, and once for 40 others; the seconds of that one."""
    assert zope.site.get("/crowd").text == "crowded"
    begin = time.perf_counter()
    for _ in range(TIMES):
        assert zope.site.get("/slow").text == "435"
    seconds = time.perf_counter() - begin
    for number in range(40):
        assert zope.site.get(f"/view{number}").text == "some text"
    return seconds


def configuration(zope: ZopeInstance, agent: AgentSocket) -> Path:
    config = zope.home.with_name("config.yml")
    config.write_text(
        "discover: false\nsites:\n  - name: intranet\n    instances:\n"
        f"      - {{name: client1, agent: 'unix:{agent.path}'}}\n"
    )
    return config


def slow_views(zope: ZopeInstance, agent: AgentSocket) -> list[dict[str, Any]]:
    """What the command prints."""
    flags = "--since", "24h", "--json", "--config.file", configuration(zope, agent)
    run = zope_exporter("slow", "intranet", *flags, state_dir=zope.home)
    assert run.returncode == 0, run.stderr
    rows: list[dict[str, Any]] = json.loads(run.stdout)["rows"]
    return rows


def test_the_slow_view_is_named_with_what_it_did(
    any_agent: Environment, start_zope: Callable[..., ZopeInstance]
) -> None:
    zope = start_zope(any_agent, storage=timed(FILESTORAGE))
    publish_pages(zope, ("boom", "clash", "crowd", "part", "slow"))
    agent = agent_of(zope.home)
    seconds = use(zope)
    assert zope.site.get("/boom").is_server_error
    assert zope.site.get("/nope").status_code == 404
    assert zope.site.get("/@@absolute_url").status_code == 200
    assert zope.site.get("/part").text == "parted"
    with ThreadPoolExecutor(2) as pool:
        assert sorted(it.text for it in pool.map(zope.site.get, ["/clash"] * 2)) == ["1", "2"]
    found = views_of(agent)
    slow = found[SLOW]
    # The manager's own forms are the only pages of it that may take as long.
    assert SLOW in sorted(found, key=lambda name: -found[name]["seconds"])[:2]
    assert slow["requests"] == TIMES
    assert 0.2 * TIMES <= slow["seconds"] <= seconds
    assert slow["loads"] >= 30 * TIMES
    assert slow["conflicts"] == slow["errors"] == 0
    # It waits for something else than loads.
    assert 0 < slow["load_seconds"] <= slow["seconds"] - 0.2 * TIMES
    boom, clash = found[f"{EXTERNAL}/boom"], found[f"{EXTERNAL}/clash"]
    assert (boom["requests"], boom["errors"], boom["conflicts"]) == (1, 1, 0)
    assert (clash["requests"], clash["errors"], clash["conflicts"]) == (2, 0, 1)
    assert found["none"]["errors"] == 0
    assert any(name.endswith("AbsoluteURL/absolute_url") for name in found)
    told = slow_views(zope, agent)
    assert SLOW in [row["view"] for row in told[:2]]
    [of] = [row for row in told if row["view"] == SLOW]
    assert {field: of[field] for field in slow} == slow
    assert 0 < of["share"] <= 1


def test_metrics_and_page_have_it(
    agent63: Environment, start_zope: Callable[..., ZopeInstance], tmp_path: Path
) -> None:
    zope = start_zope(agent63)
    publish_pages(zope, ("crowd", "slow"))
    agent = agent_of(zope.home)
    use(zope)
    eventually(lambda: not agent.status()["requests"]["in_progress"])
    flags = "--config.file", configuration(zope, agent)
    with serving(tmp_path / "state", *flags, log=tmp_path / "log") as exporter:
        page = exporter.page()
        shown = httpx.get(exporter.url, trust_env=False).text
    of = {"site": "intranet", "zope": "client1"}
    slow = frozenset({**of, "view": SLOW}.items())
    assert page["zope_view_requests_total"][slow] == TIMES
    assert page["zope_view_duration_seconds_total"][slow] >= 0.2 * TIMES
    assert page["zope_view_object_loads_total"][slow] >= 30 * TIMES
    # Ten views and all others together are all requests there were.
    assert len(page["zope_view_requests_total"]) == 11
    counted = page["zope_request_duration_seconds_count"][frozenset(of.items())]
    assert sum(page["zope_view_requests_total"].values()) == counted
    # Nothing says how long loads took, as its storage is not timed.
    assert "zope_view_object_load_duration_seconds_total" not in page
    assert "Slow views, last hour" in shown
    assert SLOW in shown
