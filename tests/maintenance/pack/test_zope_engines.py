"""Packing by the button of the ZMI, where asking for it goes wrong."""

from pathlib import Path

import pytest

from tests.support.databases.packing import Remembered
from zope_exporter.discovery.inventory import ZmiLogin
from zope_exporter.maintenance.pack.target import LostError
from zope_exporter.maintenance.pack.zope_engines import ZmiEngine


def test_an_error_nobody_has_thought_of_is_no_answer_of_zope(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    login = ZmiLogin("http://127.0.0.1:1", "no text: \udcff", password)
    with ZmiEngine(login, "main").begin(0, Remembered()) as running:
        with pytest.raises(LostError, match=r"asking has failed \(UnicodeEncodeError\)") as told:
            running.ended(30)
        assert "secret" not in str(told.value)
