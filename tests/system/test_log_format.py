import io
import json
import logging
from collections.abc import Iterator

import pytest

from zope_exporter.system.log_format import set_up_logging


@pytest.fixture(autouse=True)
def root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


def logged(level: str, form: str) -> list[str]:
    stream = io.StringIO()
    set_up_logging(level, form, stream)
    log = logging.getLogger("zope_exporter.example")
    log.debug("fine")
    log.warning('a "quoted"\nthing')
    try:
        raise OSError("disk on fire")
    except OSError:
        log.exception("broken")
    return stream.getvalue().splitlines()


def test_logfmt_keeps_one_message_on_one_line() -> None:
    warning, error = logged("info", "logfmt")
    assert warning.startswith("time=20")
    assert " level=WARN source=test_log_format.py:" in warning
    assert warning.endswith(r' msg="a \"quoted\"\nthing"')
    assert " level=ERROR " in error
    assert r"\nOSError: disk on fire" in error


def test_json() -> None:
    debug, warning, _ = (json.loads(line) for line in logged("debug", "json"))
    assert debug["level"] == "DEBUG"
    assert warning["msg"] == 'a "quoted"\nthing'


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("info", 2), ("warn", 2), ("error", 1)])
def test_levels(level: str, count: int) -> None:
    assert len(logged(level, "logfmt")) == count
