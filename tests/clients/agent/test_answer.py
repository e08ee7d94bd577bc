"""No JSON whatever makes a wrong number, or an error other than ours."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.logs.unfollowed import no_logs
from tests.support.zopes.fake_agent import STATUS
from zope_exporter.clients.agent.answer import MOST_DATABASES, AgentError, Answer
from zope_exporter.collectors.agent import AgentCollector, samples_of
from zope_exporter.collectors.agent.logs import KINDS, logged_samples
from zope_exporter.discovery.inventory import Inventory
from zope_exporter.metrics.metric import Part
from zope_exporter.metrics.registry import Registry

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def answer(document: object) -> Answer:
    return Answer(json.dumps(document).encode())


def paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    for step, value in items:
        found += paths(value, (*path, step))
    return found


def changed(path: tuple[Any, ...], value: Any) -> Any:
    document = json.loads(json.dumps(STATUS))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_an_answer_or_an_agent_error(body: bytes) -> None:
    with suppress(AgentError):
        Answer(body)


@settings(deadline=None)
@given(st.sampled_from(paths(STATUS)), JSON)
def test_whatever_stands_in_one_place_the_page_holds_and_numbers_can_be(
    path: tuple[Any, ...], value: Any
) -> None:
    try:
        read = answer(changed(path, value))
    except AgentError:  # NaN is no JSON, 5 no protocol of ours
        return
    samples = list(samples_of(read, "intranet", "client1"))
    for kind in KINDS:
        samples += logged_samples(kind, read, "intranet", f"client1-{kind}")
    assert all(0 <= sample.value < math.inf for sample in samples)
    registry = Registry([_Fixed(samples)])
    assert registry.scrape(30).failures == [], "no series twice, none without its declaration"


class _Fixed(AgentCollector):
    """The collector's declarations, with samples that are there already."""

    def __init__(self, samples: list[Any]) -> None:
        super().__init__(Inventory, no_logs())
        self._samples = samples

    def parts(self) -> Any:
        return [Part(("fixed",), lambda: self._samples)]


@pytest.mark.parametrize("value", [True, "5", [5], {}, -1, -0.5, 1e300, 2**64])
def test_what_is_no_number_from_0_to_2_to_the_63_is_named_and_left_out(value: object) -> None:
    read = answer({"protocol": 1, "workers": {"threads": value}})
    assert read.number("workers", "threads") is None
    (problem,) = read.problems
    assert problem.startswith("workers.threads is ")


def test_what_is_absent_or_null_is_unknown_and_no_problem() -> None:
    read = answer({"protocol": 1, "workers": None, "conflicts": [None]})
    assert read.number("workers", "threads") is None
    assert read.number("requests", "sum") is None
    assert read.text("conflicts", 0, "database") is None
    assert read.keys("databases") == ()
    assert read.numbers("requests", "bounds") is None
    assert read.problems == []


def test_parts_that_failed_in_the_agent_are_problems_without_control_characters() -> None:
    read = answer({"protocol": 1, "errors": {"workers\n": "KeyError: \x1b[31m'a'"}})
    assert read.problems == ["workers?: KeyError: ?[31m'a'"]


def test_a_flood_of_mistakes_is_cut() -> None:
    read = answer({"protocol": 1, "errors": {str(number): "x" for number in range(1000)}})
    assert len(read.problems) == 20
    assert read.numbers("errors") is None
    assert len(read.problems) == 20


def test_label_values_are_bounded() -> None:
    exceptions = {f"Error{number}": 1 for number in range(1000)}
    responses = {str(number): 1 for number in range(10_000)}
    document = changed(("requests",), {"exceptions": exceptions, "responses": responses})
    found = list(samples_of(answer(document), "intranet", "client1"))
    by_name: dict[str, list[float]] = {}
    for sample in found:
        by_name.setdefault(sample.metric.name, []).append(sample.value)
    assert len(by_name["zope_request_exceptions_total"]) == 100
    assert sum(by_name["zope_request_exceptions_total"]) == 1000
    assert len(by_name["zope_wsgi_responses_total"]) == 501
    assert sum(by_name["zope_wsgi_responses_total"]) == 10_000


@pytest.mark.parametrize("name", ["", "a" * 101, "main\n", "\ud800"])
def test_a_name_that_no_database_can_have_is_no_label(name: str) -> None:
    main = STATUS["databases"]["main"]
    read = answer(changed(("databases",), {name: main, "main": main}))
    samples = list(samples_of(read, "intranet", "client1"))
    told = {sample.labels[2] for sample in samples if "database" in sample.metric.labels}
    assert told == {"main", ""}  # "" has the conflicts of no known database
    assert read.problems == ["databases has a name that can be none"]


def test_databases_without_number_are_cut() -> None:
    read = answer({"protocol": 1, "databases": {str(number): {} for number in range(10_000)}})
    assert len(read.databases()) == MOST_DATABASES
    assert read.problems == [f"databases are more than {MOST_DATABASES}"]
