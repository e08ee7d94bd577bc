"""Requests as their clients saw them, counted around a WSGI application."""

import _thread
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from Products.ZopeExporterAgent.long_requests import long_requests
from Products.ZopeExporterAgent.requests import BOUNDS, MOST_EXCEPTIONS, Requests
from Products.ZopeExporterAgent.wsgi import CountedApplication

Start = Callable[..., Any]
Application = Callable[[dict[str, str], Start], Iterable[bytes]]


def status(requests: Requests) -> dict[str, Any]:
    found: dict[str, Any] = requests.status(5.0, time.time())
    return found


def answers(code: str, body: Iterable[bytes] = (b"text",)) -> Application:
    def application(_environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
        start_response(code, [])
        return body

    return application


def serve(application: Application) -> list[bytes]:
    """What a server of WSGI does with a request."""
    answer = application({"REQUEST_METHOD": "GET"}, lambda *_: None)
    try:
        return list(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()


def test_an_answer_counts_once_it_has_been_sent() -> None:
    requests = Requests()
    answer = CountedApplication(answers("404 Not Found"), requests)({}, lambda *_: None)
    assert list(answer) == [b"text"]
    assert status(requests)["in_progress"] == 1
    assert status(requests)["responses"] == {}
    answer.close()
    answer.close()
    found = status(requests)
    assert (found["in_progress"], found["oldest_start"]) == (0, None)
    assert found["responses"] == {"404": 1}
    assert sum(found["duration"]["counts"]) == 1
    assert len(found["duration"]["counts"]) == len(found["duration"]["bounds"]) + 1


def test_an_application_that_breaks_is_answered_500() -> None:
    def breaks(_environ: dict[str, str], _start: Start) -> Iterable[bytes]:
        raise KeyError("x")

    requests = Requests()
    with pytest.raises(KeyError):
        serve(CountedApplication(breaks, requests))
    assert status(requests)["responses"] == {"500": 1}
    assert status(requests)["exceptions"] == {"KeyError": 1}
    assert status(requests)["in_progress"] == 0


@pytest.mark.parametrize(("pieces", "code"), [([], "500"), ([b""], "500"), ([b"x"], "200")])
def test_an_answer_that_breaks_off_has_the_status_it_began_with(
    pieces: list[bytes], code: str
) -> None:
    def broken() -> Iterator[bytes]:
        yield from pieces
        raise ValueError

    requests = Requests()
    with pytest.raises(ValueError, match=r"^$"):
        serve(CountedApplication(answers("200 OK", broken()), requests))
    assert status(requests)["responses"] == {code: 1}
    assert status(requests)["exceptions"] == {"ValueError": 1}


def test_the_iterable_is_closed_and_keeps_its_length() -> None:
    closed = threading.Event()

    class Body(list[bytes]):
        def close(self) -> None:
            closed.set()

    answer = CountedApplication(answers("200 OK", Body([b"a"])), Requests())({}, lambda *_: None)
    assert len(answer) == 1
    answer.close()
    assert closed.is_set()
    streamed = CountedApplication(answers("200 OK", iter([b"a"])), Requests())({}, lambda *_: None)
    assert not hasattr(streamed, "__len__")


def test_a_file_stays_what_the_server_knows_and_keeps_no_worker() -> None:
    class ServersFile:
        pass

    requests = Requests()

    def sends(_environ: Any, start_response: Start) -> Any:
        start_response("200 OK", [])
        return ServersFile()

    answer = CountedApplication(sends, requests)(
        {"wsgi.file_wrapper": ServersFile}, lambda *_: None
    )
    # The main loop sends it, for as long as the client likes.
    assert type(answer) is ServersFile
    assert vars(answer) == {}
    assert status(requests)["responses"] == {"200": 1}
    assert status(requests)["in_progress"] == 0


@pytest.mark.parametrize("body", [[b"text"], iter([b"text"])])
def test_an_answer_that_nobody_closes_is_not_in_progress_for_ever(body: Iterable[bytes]) -> None:
    requests = Requests()
    answer = CountedApplication(answers("200 OK", body), requests)({}, lambda *_: None)
    assert status(requests)["in_progress"] == 1
    del answer
    assert status(requests)["in_progress"] == 0
    assert status(requests)["responses"] == {"200": 1}


def test_an_answer_may_end_in_any_thread_while_its_own_has_begun_another() -> None:
    requests = Requests()
    application = CountedApplication(answers("200 OK"), requests)
    first = application({}, lambda *_: None)
    second = application({}, lambda *_: None)
    elsewhere = threading.Thread(target=first.close)
    elsewhere.start()
    elsewhere.join()
    assert status(requests)["in_progress"] == 1
    second.close()
    assert status(requests)["in_progress"] == 0
    assert status(requests)["responses"] == {"200": 2}


def test_a_status_that_comes_too_late_for_the_client_does_not_count() -> None:
    def server(_status: str, _headers: object, exc_info: Any = None) -> None:
        if exc_info:  # it has sent the headers
            raise exc_info[1]

    def streams(_environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"text"
        try:
            raise KeyError
        except KeyError as error:
            start_response("500 Internal Server Error", [], (KeyError, error, None))

    requests = Requests()
    answer = CountedApplication(streams, requests)({}, server)
    with pytest.raises(KeyError):
        list(answer)
    answer.close()
    assert status(requests)["responses"] == {"200": 1}
    assert status(requests)["exceptions"] == {"KeyError": 1}


def test_two_counters_around_one_another_count_once() -> None:
    requests = Requests()
    inner = CountedApplication(answers("200 OK"), requests)
    serve(CountedApplication(inner, requests))
    serve(CountedApplication(inner, requests))
    assert status(requests)["responses"] == {"200": 2}


def test_a_failure_of_publishing_counts_though_its_answer_is_a_page() -> None:
    requests = Requests()

    def fails(_environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
        requests.failed(LookupError)
        start_response("200 OK", [])
        return [b"sorry"]

    serve(CountedApplication(fails, requests))
    requests.failed(KeyError)  # of no request: a script's
    assert status(requests)["exceptions"] == {"LookupError": 1}


def test_classes_of_exceptions_are_bounded() -> None:
    requests = Requests()
    for number in range(MOST_EXCEPTIONS + 5):
        kind = type(f"E{number}Error", (Exception,), {})

        def fails(_environ: dict[str, str], _start: Start, kind: Any = kind) -> Iterable[bytes]:
            raise kind

        with pytest.raises(kind):
            serve(CountedApplication(fails, requests))
    found = status(requests)["exceptions"]
    assert len(found) == MOST_EXCEPTIONS + 1
    assert found["other"] == 5


def test_threads_lose_no_request() -> None:
    requests = Requests()
    application = CountedApplication(answers("200 OK"), requests)
    threads = [
        threading.Thread(target=lambda: [serve(application) for _ in range(2000)]) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        status(requests)
    assert status(requests)["responses"] == {"200": 8000}
    assert sum(status(requests)["duration"]["counts"]) == 8000
    assert status(requests)["in_progress"] == 0


def test_durations_fall_into_their_buckets() -> None:
    now = [0.0]
    requests = Requests(clock=lambda: now[0])
    for seconds in (BOUNDS[0], BOUNDS[0] * 1.001, BOUNDS[-1] + 1):
        request = requests.begin({})
        now[0] += seconds
        requests.published(request)
        requests.end(request)
    duration = status(requests)["duration"]
    assert duration["counts"] == [1, 1, *[0] * (len(BOUNDS) - 2), 1]
    assert duration["sum"] == pytest.approx(now[0])


def test_a_long_request_shows_its_stack_and_no_value() -> None:
    requests = Requests()
    inside, leave = threading.Event(), threading.Event()

    def wait_in_a_function_of_this_name(environ: dict[str, str], start: Start) -> Iterable[bytes]:
        inside.set()
        assert leave.wait(20)
        return answers("200 OK")(environ, start)

    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/site",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "user=private&alsoprivate&x=",
    }
    application = CountedApplication(wait_in_a_function_of_this_name, requests)
    thread = threading.Thread(target=application, args=(environ, lambda *_: None), name="worker")
    thread.start()
    try:
        assert inside.wait(20)
        assert long_requests(requests, 60.0, time.time()) == []
        assert requests.status(60.0, time.time())["long"]["count"] == 0
        [found] = long_requests(requests, 5.0, time.time() + 6)
        assert requests.status(5.0, time.time() + 6)["long"]["count"] == 1
    finally:
        leave.set()
        thread.join()
    assert (found["thread"], found["method"]) == ("worker", "POST")
    assert found["url"] == "/site/a/b?user&...&x"
    assert any("wait_in_a_function_of_this_name" in line for line in found["stack"])
    assert "threading.py" in found["stack"][-1]


def test_a_thread_that_python_has_no_name_of_is_told_by_its_number() -> None:
    requests = Requests()
    inside, leave = _thread.allocate_lock(), _thread.allocate_lock()
    inside.acquire()
    leave.acquire()
    number = []

    def waits(_environ: dict[str, str], _start: Start) -> Iterable[bytes]:
        number.append(_thread.get_ident())
        inside.release()
        leave.acquire()
        return []

    _thread.start_new_thread(CountedApplication(waits, requests), ({}, lambda *_: None))
    try:
        assert inside.acquire(timeout=20)
        [found] = long_requests(requests, 5.0, time.time() + 6)
        assert (found["thread"], found["thread_id"]) == (str(number[0]), number[0])
    finally:
        leave.release()
