"""What ZServer's workers tell, where there is no ZServer: that it never costs a worker."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from Products.ZopeExporterAgent.requests import Requests
from Products.ZopeExporterAgent.zserver import ZServer


def counted(server: ZServer, requests: Requests, answered: object) -> dict[str, Any]:
    pipe = SimpleNamespace(_request=answered)
    server.begin(("Zope2", {"REQUEST_METHOD": "GET"}, SimpleNamespace(stdout=pipe)))
    pipe._request = None  # as ZServer's own does when the answer is complete
    server.end()
    found: dict[str, Any] = requests.status(5.0, time.time())
    return found


def test_the_answer_of_a_request_is_known_when_the_worker_asks_for_the_next() -> None:
    requests = Requests()
    found = counted(ZServer(requests), requests, SimpleNamespace(reply_code=404))
    assert (found["responses"], found["in_progress"]) == ({"404": 1}, 0)


@pytest.mark.parametrize("job", [(), None, ("Zope2",)])
def test_a_job_of_another_kind_is_left_to_its_worker(job: Any) -> None:
    requests = Requests()
    server = ZServer(requests)
    server.begin(job)
    server.end()
    assert requests.in_progress() == []


def test_an_answer_of_another_kind_ends_the_request_all_the_same() -> None:
    requests = Requests()
    found = counted(ZServer(requests), requests, SimpleNamespace())
    assert (found["responses"], found["in_progress"]) == ({}, 0)
    assert sum(found["duration"]["counts"]) == 1
