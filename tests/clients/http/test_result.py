"""Timing phases on a clock that only the test moves."""

import pytest

from zope_exporter.clients.http.result import Phases


def test_phases_add_up_and_may_come_again() -> None:
    now = 100.0
    phases = Phases(lambda: now)
    for step, event in [
        (1, "connection.connect_tcp.started"),
        (2, "connection.connect_tcp.complete"),
        (4, "http11.send_request_headers.started"),
        (8, "http11.receive_response_headers.complete"),
        (16, "connection.connect_tcp.started"),
        (32, "connection.start_tls.started"),
    ]:
        now += step
        phases.observe(event)
    now += 64
    phases.stop()
    assert phases.seconds == pytest.approx(
        {"dns": 1, "connect": 38, "first_byte": 8, "transfer": 16, "tls": 64}
    )
    assert phases.current == "tls"
