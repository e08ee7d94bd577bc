"""What an answer is made of, where parts of it fail."""

import json
from typing import Any

import pytest
from Products.ZopeExporterAgent.parts import ABSENT, UnknownError, gather, text


def raiser(error: Exception) -> Any:
    def read() -> object:
        raise error

    return read


def test_a_part_that_fails_is_absent_and_named() -> None:
    errors: dict[str, str] = {}
    parts = [
        ("nothing", lambda: None),
        ("missing", raiser(AttributeError("no attribute 'x'"))),
        ("secret", raiser(ValueError("dsn password=sesame"))),
        ("unknown", raiser(UnknownError("nobody knows"))),
        ("absent", lambda: ABSENT),
        ("fine", lambda: 1),
    ]
    assert gather(parts, errors, "some.") == {"nothing": None, "fine": 1}
    assert errors == {
        "some.missing": "AttributeError: no attribute 'x'",
        "some.secret": "ValueError",
        "some.unknown": "nobody knows",
    }


@pytest.mark.parametrize("value", ["ä", b"\xe4", b"\xc3\xa4", "\udce4", ""])
def test_names_of_any_bytes_can_be_said_in_json(value: Any) -> None:
    assert json.loads(json.dumps(text(value)).encode()) == text(value)
    assert isinstance(text(value).encode(), bytes)
