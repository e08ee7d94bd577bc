"""What is passed on of what a program writes."""

import logging
import sys

import pytest

from tests.support.databases.repository import Noted
from zope_exporter.maintenance.jobs.report import ActionError
from zope_exporter.maintenance.pack.program import program

DEADLINE = 60.0
STAMP = "2026-11-30 01:02:03,456"
LINES = [
    f"{STAMP} [zodbpack] INFO Opening main (RelStorageFactory)...",
    *[f"{STAMP} [relstorage.adapters.pack] DEBUG pre_pack: {number}" for number in range(30)],
    f"{STAMP} [relstorage.adapters.sql] DEBUG DELETE FROM pack_object",
    "    WHERE keep = FALSE AND password = 'geheim'",
    f"{STAMP} [relstorage.adapters.pack] WARNING pack: slow",
    f"{STAMP} [zodbpack] INFO Packed main.",
]


def packed(end: str, report: Noted) -> None:
    text = f"import sys; print(sys.argv[1]); {end}"
    command = [sys.executable, "-c", text, "\n".join(LINES)]
    with program(command, report, hidden=["geheim"]) as running:
        while not running.ended(DEADLINE):
            pass


def test_lines_for_debugging_are_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "zope_exporter.maintenance.pack.program")
    report = Noted()
    packed("", report)
    assert report.lines == [LINES[0], *LINES[-2:]]
    hidden = [record.getMessage() for record in caplog.records]
    assert {record.levelname for record in caplog.records} == {"DEBUG"}
    assert (hidden[0], len(hidden)) == (LINES[1], 32)
    assert hidden[-1] == "    WHERE keep = FALSE AND password = '…'"


def test_the_reason_of_a_failure_is_none_of_them() -> None:
    report = Noted()
    with pytest.raises(ActionError, match="RuntimeError: the table is locked"):
        packed(
            f"print({LINES[1]!r}, flush=True); raise RuntimeError('the table is locked')", report
        )
    assert any(line.startswith("Traceback") for line in report.lines)
    assert not any("DEBUG" in line for line in report.lines)
