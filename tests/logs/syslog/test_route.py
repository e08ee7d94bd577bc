import logging.handlers

import pytest

from zope_exporter.logs.syslog.message import parse
from zope_exporter.logs.syslog.route import FACILITIES, Route, SyslogSettings


def test_facilities_have_the_numbers_senders_give_them() -> None:
    theirs = logging.handlers.SysLogHandler.facility_names
    assert {name: theirs[name] for name in FACILITIES if name in theirs} == {
        name: code for name, code in FACILITIES.items() if name in theirs
    }
    assert {"local0", "local7", "user", "daemon", "auth"} <= theirs.keys() & FACILITIES.keys()


@pytest.mark.parametrize(
    ("settings", "datagram", "log"),
    [
        (SyslogSettings(""), b"<134>x", "access"),
        (SyslogSettings(""), b"<14>x", "event"),
        (SyslogSettings(""), b"no priority", "event"),
        (SyslogSettings(""), b"<30>x", None),
        (SyslogSettings("", access=Route(tag="z2")), b"<14>z2[1]: x", "access"),
        (SyslogSettings("", access=Route(tag="z2")), b"<14>z3[1]: x", "event"),
        (SyslogSettings("", access=Route("local3", "z2")), b"<158>z2: x", "access"),
        (SyslogSettings("", access=Route("local3", "z2")), b"<158>z3: x", None),
        (SyslogSettings("", event=Route()), b"<14>x", None),
    ],
)
def test_facility_or_tag_tells_the_log(
    settings: SyslogSettings, datagram: bytes, log: str | None
) -> None:
    assert settings.log_of(parse(datagram)) == log
