import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults.hanging import hanging
from tests.support.faults.rights import public_directory
from tests.support.programs.exporter import zope_exporter
from tests.support.programs.require import require
from tests.support.zopes.strangers import ZOPE, SharedHost
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.rights import judge_rights
from zope_exporter.discovery.inventory import Database, Inventory, Process, Service, Site

OTHER = 54_322
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def host(*pids: int, **files: Path) -> Inventory:
    services = [
        Service("zope", f"z{pid}", files.get("config"), process=Process(pid, 1.0)) for pid in pids
    ]
    return Inventory((Site("intranet", (*services, Service("zope", "down", None))),))


def user(process: Path, _: str) -> int:
    """Process 10 is root's, 11 and 12 are of one user, 13 of another."""
    return {"10": 0, "11": ZOPE, "12": ZOPE, "13": OTHER}[process.name]


def told(inventory: Inventory, *repositories: Path) -> list[str]:
    found = judge_rights(inventory, 0, repositories, user)
    assert {finding.severity for finding in found} == {Severity.OK}
    return [finding.text for finding in found]


def test_where_one_user_has_all_it_is_named() -> None:
    (text,) = told(host(11, 12))
    assert "all servers here as user 54321: run it as that user" in text


def test_what_another_user_has_is_listed_by_right() -> None:
    before, looking, socket = told(host(10, 11, 12, 13))
    assert "as user 54321, who runs most servers here, it would not have these rights" in before
    assert looking.startswith("CAP_SYS_PTRACE: ")
    assert "open files of intranet/z10, intranet/z13; without" in looking
    assert socket.startswith("the agent's socket of intranet/z10, intranet/z13,")


@pytest.fixture
def shared() -> Iterator[Path]:
    with public_directory() as directory:
        yield directory


@as_root
@pytest.mark.parametrize("closed", ["file", "directory", "nothing"])
def test_a_file_that_it_could_not_read_is_named(shared: Path, closed: str) -> None:
    conf = shared / "etc/zope.conf"
    conf.parent.mkdir()
    conf.touch()
    os.chown(conf, OTHER, OTHER)
    conf.chmod(0o600 if closed == "file" else 0o644)
    conf.parent.chmod(0o700 if closed == "directory" else 0o755)
    _, *rights = told(host(11, config=conf))
    assert rights == ([] if closed == "nothing" else [f"CAP_DAC_READ_SEARCH: to read {conf}"])
    os.chown(conf, ZOPE, ZOPE)
    os.chown(conf.parent, ZOPE, ZOPE)
    assert len(told(host(11, config=conf))) == 1


@as_root
def test_a_repository_and_a_data_fs_of_others_are_named(shared: Path) -> None:
    data_fs = shared / "Data.fs"
    data_fs.touch(0o644)
    database = Database("main", "filestorage", data_fs=data_fs)
    zope = Service("zope", "z13", None, databases=(database,), process=Process(13, 1.0))
    mine = Service("zope", "z11", None, process=Process(11, 1.0))
    sites = Inventory((Site("intranet", (mine, zope)),))
    *_, packing, writing = told(sites, shared)
    assert packing.startswith("CAP_SETUID, CAP_SETGID: to pack the Data.fs of intranet/z13 as")
    assert writing == f"CAP_DAC_OVERRIDE: to write backups to {shared}"


def test_a_file_system_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    with require(lambda: hanging(tmp_path)):
        _, unknown = told(host(11, config=tmp_path / "etc/zope.conf"))
    assert "is unknown: a file system does not answer" in unknown
    # Nor is any looked at where one is known to hang.
    _, *rights = judge_rights(host(11, config=tmp_path), 0, None, user)
    assert [each.text for each in rights] == [unknown]


@pytest.mark.parametrize(("pids", "euid"), [((11, 13), ZOPE), ((10,), 0), ((), 0)])
def test_where_root_adds_nothing_or_is_not_there_nothing_is_said(
    pids: tuple[int, ...], euid: int
) -> None:
    assert judge_rights(host(*pids), euid, (), user) == []


@as_root
def test_check_lists_it_for_a_real_process(shared: Path) -> None:
    there = SharedHost(shared)
    config = shared / "zope-exporter.yml"
    config.write_text(
        "discover: false\n"
        "sites:\n"
        "  - name: good\n"
        f"    instances: [{{zope_conf: {there.good}/etc/zope.conf}}]\n"
    )
    with there.start(there.good / "etc/zope.ini", ZOPE):
        check = zope_exporter("check", "--config.file", config, state_dir=shared)
    assert f"zope-exporter runs as root, all servers here as user {ZOPE}" in check.stdout
