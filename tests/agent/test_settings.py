"""Settings of the agent in zope.conf: a wrong one is named and changes nothing."""

import grp
import os

import pytest
from Products.ZopeExporterAgent.settings import read_settings


def test_without_a_section_only_zope_s_user_may_connect() -> None:
    for nothing in (None, {}, {"something-else": {"socket-mode": "0666"}}):
        settings = read_settings(nothing)
        assert settings.socket_mode == 0o600
        assert settings.socket_group is None
        assert settings.long_request_threshold == 5.0
        assert settings.problems == []


def test_all_settings_are_heeded() -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    given = {
        "socket-mode": "0660",
        "socket-group": group,
        "socket-directory": "/run/zope",
        "long-request-threshold": "2.5",
    }
    settings = read_settings({"zope-exporter": given})
    assert settings.socket_mode == 0o660
    assert settings.socket_group == os.getgid()
    assert settings.socket_directory == "/run/zope"
    assert settings.long_request_threshold == 2.5
    assert settings.problems == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("socket-mode", "rw-rw----"),
        ("socket-mode", "0777"),
        ("socket-mode", "0060"),
        ("socket-mode", "-1"),
        ("socket-group", "no such group"),
        ("socket-group", ""),
        ("socket-directory", "var"),
        ("long-request-threshold", "soon"),
        ("long-request-threshold", "nan"),
        ("long-request-threshold", "0"),
        ("socket", "x"),
    ],
)
def test_a_wrong_setting_is_named_and_left_alone(name: str, value: str) -> None:
    settings = read_settings({"zope-exporter": {name: value}})
    [problem] = settings.problems
    assert problem.startswith(f"{name}: ")
    plain, found = vars(read_settings(None)), vars(settings)
    assert plain | {"problems": found["problems"]} == found
