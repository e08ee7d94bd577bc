from pathlib import Path

import pytest

from zope_exporter.checks.finding import Severity
from zope_exporter.checks.rights import judge_rights
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site


def host(*pids: int) -> Inventory:
    services = [Service("zope", f"z{pid}", None, process=Process(pid, 1.0)) for pid in pids]
    return Inventory((Site("intranet", (*services, Service("zope", "down", None))),))


def user(process: Path) -> int:
    """Process 10 is root's, 11 and 12 are of one user, 13 of another."""
    return {"10": 0, "11": 54_321, "12": 54_321, "13": 54_322}[process.name]


@pytest.mark.parametrize(
    ("pids", "words"),
    [
        (
            (11, 12),
            "all servers here as user 54321: run it as that user",
        ),
        ((10, 11, 13), "what each of the users 54321, 54322 keeps from the others"),
    ],
)
def test_what_root_adds_is_listed(pids: tuple[int, ...], words: str) -> None:
    (finding,) = judge_rights(host(*pids), 0, user)
    assert finding.severity is Severity.OK
    assert words in finding.text


@pytest.mark.parametrize(("pids", "euid"), [((11, 13), 54_321), ((10,), 0), ((), 0)])
def test_where_root_adds_nothing_or_is_not_there_nothing_is_said(
    pids: tuple[int, ...], euid: int
) -> None:
    assert judge_rights(host(*pids), euid, user) == []
