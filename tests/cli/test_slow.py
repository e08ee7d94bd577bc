"""The views that take the time of a site's requests, as a command tells them."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs.exporter import zope_exporter
from tests.support.zopes.fake_agent import answering, fake_agent, http

FIELDS = ["requests", "seconds", "loads", "conflicts", "errors", "load_seconds"]
Row = list[float]


def views(hour: dict[str, Row], earlier: dict[str, Row], fields: list[str] = FIELDS) -> bytes:
    """An answer of an agent; `earlier` is of more than an hour ago."""
    now = time.time()
    hour, earlier = (
        {name: row[: len(fields)] for name, row in of.items()} for of in (hour, earlier)
    )
    slices: list[dict[str, Any]] = [
        {"start": now - 9000, "seconds": 3600, "views": earlier},
        {"start": now - 1200, "seconds": 3600, "views": hour},
        {"start": now - 5000, "seconds": 600, "views": earlier},
        {"start": now - 700, "seconds": 600, "views": {}},
        {"start": now - 100, "seconds": 600, "views": hour},
    ]
    return http({"protocol": 1, "fields": fields, "slices": slices})


REPORT = {f"pkg.Small/view{n:02}": [1.0, 0.1 - n / 1000, 3, 0, 0, 0] for n in range(30)} | {
    "pkg.Report/report": [4, 34.0, 4000, 2, 1, 24.0],
    "other": [2, 0.5, 0, 0, 0, 0.0004],
    "none": [10, 0.2, 0, 0, 0, 0],
}
NIGHTLY = {"pkg.Import/nightly": [1, 600.0, 9, 0, 0, 500.0]}


@pytest.fixture
def agents() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def configured(tmp_path: Path, agents: ExitStack, answers: dict[str, bytes | None]) -> Path:
    """A configuration of a site with these Zopes; None is for one without agent."""
    lines = ["discover: false", "sites:", "  - name: intranet", "    instances:"]
    for name, answer in answers.items():
        socket = tmp_path / f"{name}.sock"
        if answer is not None:
            agents.enter_context(fake_agent(socket, answering(answer)))
        lines.append(f"      - {{name: {name}, agent: 'unix:{socket}'}}")
    config = tmp_path / "config.yml"
    config.write_text("\n".join(lines) + "\n")
    return config


def slow(tmp_path: Path, config: Path, *arguments: str) -> Any:
    run = zope_exporter("slow", *arguments, "--config.file", config, state_dir=tmp_path)
    assert "Traceback" not in run.stderr
    return run


def test_the_slow_view_comes_first_with_its_share(tmp_path: Path, agents: ExitStack) -> None:
    answer = views(REPORT, NIGHTLY)
    config = configured(tmp_path, agents, {"client1": answer, "client2": answer})
    run = slow(tmp_path, config, "intranet")
    assert run.returncode == 0, run.stderr
    first, _, heading, report, *rows = run.stdout.splitlines()
    assert first.startswith("intranet: 92 requests in 74.5 s, since ")
    assert heading.split() == (
        [
            "VIEW",
            "TIME",
            "SHARE",
            "REQUESTS",
            "MEAN",
            "LOADS",
            "LOAD",
            "TIME",
            "CONFLICTS",
            "ERRORS",
        ]
    )
    assert report.split() == (
        ["pkg.Report/report", "68.0", "s", "91%", "8", "8.5", "s", "1000", "6.0", "s", "4", "2"]
    )
    names = [row.split()[0] for row in rows if row]
    assert names[:2] == ["none", "pkg.Small/view00"]
    # Twenty views, and all others together.
    assert names[19:] == ["other", "none:"]
    assert rows[19].split()[4] == str(2 * (2 + 12))
    assert rows[19].split()[8:10] == ["<1", "ms"]


def test_the_time_of_loads_is_unknown_where_one_zope_does_not_tell(
    tmp_path: Path, agents: ExitStack
) -> None:
    timed, untimed = (
        views(REPORT, {}),
        views({"pkg.Report/report": [1, 1.0, 0, 0, 0]}, {}, FIELDS[:-1]),
    )
    config = configured(tmp_path, agents, {"client1": timed, "client2": untimed})
    run = slow(tmp_path, config, "intranet")
    report, small = (
        next(line for line in run.stdout.splitlines() if line.startswith(name))
        for name in ("pkg.Report/report", "pkg.Small/view00")
    )
    assert report.split()[8:] == ["unknown", "2", "1"]
    assert small.split()[8:] == ["0", "ms", "0", "0"]
    assert "LOAD TIME is unknown of client2: it needs a <timedstorage> around" in run.stdout
    told = json.loads(slow(tmp_path, config, "--json").stdout)
    assert [row["load_seconds"] for row in told["rows"][:2]] == [None, 0.2 * 0]
    assert told["sites"][0]["load_seconds"] is None


def test_a_day_reaches_further_and_json_tells_all(tmp_path: Path, agents: ExitStack) -> None:
    config = configured(tmp_path, agents, {"client1": views(REPORT, NIGHTLY)})
    run = slow(tmp_path, config, "--since", "24h", "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    first, second, *_ = told["rows"]
    assert (first["view"], first["seconds"]) == ("pkg.Import/nightly", 600.0)
    assert second == {
        "site": "intranet",
        "view": "pkg.Report/report",
        **dict(zip(FIELDS, REPORT["pkg.Report/report"], strict=True)),
        "share": pytest.approx(34 / told["sites"][0]["seconds"]),
    }
    assert sum(row["seconds"] for row in told["rows"]) == pytest.approx(told["sites"][0]["seconds"])
    assert told["zopes"] == [{"site": "intranet", "zope": "client1", "problem": None}]


def test_a_zope_that_does_not_tell_is_named(tmp_path: Path, agents: ExitStack) -> None:
    old = http({"protocol": 1, "error": "no such page"}, "404 Not Found")
    new = views(REPORT, {})
    config = configured(tmp_path, agents, {"new": new, "old": old, "bare": None})
    run = slow(tmp_path, config)
    assert run.returncode == 1
    assert "intranet/old: the agent knows no /v1/views: install the agent" in run.stderr
    assert "intranet/bare: " in run.stderr
    assert "pkg.Report/report" in run.stdout


def test_no_answer_at_all_is_refused(tmp_path: Path, agents: ExitStack) -> None:
    config = configured(tmp_path, agents, {"idle": views({}, {}), "bare": None})
    assert "intranet: no requests are known of that time" in slow(tmp_path, config).stdout
    config = configured(tmp_path, agents, {"bare": None})
    assert slow(tmp_path, config).returncode == 3
    run = slow(tmp_path, config, "extranet")
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr == "refused: no site is called extranet; known: intranet\n"


@pytest.mark.parametrize(
    ("span", "said"), [("soon", "'soon' is no time span"), ("25h", "agents keep one day")]
)
def test_a_span_that_cannot_be(tmp_path: Path, span: str, said: str) -> None:
    run = zope_exporter("slow", "--since", span, state_dir=tmp_path)
    assert run.returncode == 2
    assert said in run.stderr
