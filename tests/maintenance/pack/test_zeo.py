"""Packing through real ZEO servers."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import trustme

from tests.support.databases.packing import (
    AT_ONCE,
    Remembered,
    items,
    make_database,
    storage_of,
)
from tests.support.programs.children import as_known
from tests.support.programs.processes import eventually
from tests.support.programs.server import free_port
from tests.support.zeo.fake_server import Serve, fake_zeo, greets_and, letting_in, sends
from tests.support.zeo.packed import OWN, OncePacking, packs, serving
from tests.support.zeo.servers import ZeoServer
from zope_exporter.clients.zeo.status import frame
from zope_exporter.discovery.inventory import TlsFiles
from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError, RefusedError
from zope_exporter.maintenance.pack.run import pack
from zope_exporter.maintenance.pack.target import Garbage, PackTarget, StillRunningError
from zope_exporter.maintenance.pack.zeo_engine import ZeoEngine

# To unpickle this answer is to import `this`, which prints a poem; other modules run programs.
IMPORTS_THIS = b"\x80\x03(K\x01K\x00X\x06\x00\x00\x00.replycthis\ns\nt."


@pytest.mark.parametrize(("setting", "spoken"), [("", b"Z5"), ("msgpack true", b"M5")])
def test_the_server_packs_the_storage_of_that_name(
    tmp_path: Path, setting: str, spoken: bytes
) -> None:
    with serving(tmp_path / "zeo", zeo=setting) as (server, target):
        assert server.greeting() == spoken
        before = items(server.data_fs("main"))
        report = Remembered()
        result = pack(target, AT_ONCE, report)
        assert result.freed
        assert result.freed > 190_000
        assert result.engine == "the ZEO server"
        assert items(server.data_fs("main")) == before
        assert ("packing through the ZEO server", result.before.data) in report.stages


def test_promise_11_a_pack_whose_client_is_gone_is_still_running_and_not_tried_again(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path / "zeo", gate) as (server, target):
        report = OncePacking(server, kill_clients)
        with pytest.raises(StillRunningError) as lost:
            pack(target, AT_ONCE, report)
        assert "was not stopped by that" in lost.value.reason
        with pytest.raises(ActionError) as again:
            pack(target, AT_ONCE, Remembered())
        assert "Already packing" in again.value.reason
        gate.write_text("")
        eventually(lambda: packs(server, "complete"))
        assert packs(server, "complete") == 1


def clients() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if any("zeo_client" in word for word in child.cmdline())]


def kill_clients() -> None:
    for client in clients():
        client.kill()


def leave() -> None:
    raise InterruptedActionError("packing", "told to end")


def test_leaving_a_pack_says_that_it_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path / "zeo", gate) as (server, target):
        report = OncePacking(server, leave)
        with pytest.raises(InterruptedActionError):
            pack(target, AT_ONCE, report)
        assert "continues in the ZEO server" in report.text
        gate.write_text("")
        eventually(lambda: packs(server, "complete"))


def test_a_client_that_dies_when_the_server_is_done_already_has_packed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path / "zeo", gate) as (server, target):

        def let_it_pack_unheard() -> None:
            (client,) = clients()
            client.suspend()
            gate.write_text("")
            eventually(lambda: packs(server, "complete"))
            client.kill()

        result = pack(target, AT_ONCE, OncePacking(server, let_it_pack_unheard))
        assert result.freed
        assert result.freed > 190_000


def test_a_server_killed_while_it_packs_has_not_packed(tmp_path: Path) -> None:
    with serving(tmp_path / "zeo", tmp_path / "gate") as (server, target):
        before = server.data_fs("main").stat()
        with pytest.raises(ActionError) as failed:
            pack(target, AT_ONCE, OncePacking(server, lambda: os.kill(server.pid, signal.SIGKILL)))
        assert not isinstance(failed.value, StillRunningError)
        assert "the Data.fs is that of before" in failed.value.reason
        after = server.data_fs("main").stat()
        assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)


def test_a_server_that_is_not_there_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    data_fs = tmp_path / "Data.fs"
    make_database(data_fs, revisions=2)
    target = PackTarget(
        storage_of(data_fs), ZeoEngine([f"127.0.0.1:{free_port()}"], "1", connect=1)
    )
    with pytest.raises(ActionError) as failed:
        pack(target, AT_ONCE, Remembered())
    assert "no ZEO server accepts the connection" in failed.value.reason


@pytest.mark.parametrize(
    ("serve", "kind", "reason"),
    [
        (greets_and(sends(frame(IMPORTS_THIS))), ActionError, "says: s"),
        (letting_in(sends(b"")), StillRunningError, "contact to the ZEO server was lost"),
        (sends(frame(b"Z310")), ActionError, "is of protocol 310"),
    ],
)
def test_whatever_is_in_the_place_of_the_server_fails_the_pack_and_has_nothing_run(
    tmp_path: Path, serve: Serve, kind: type[ActionError], reason: str
) -> None:
    make_database(tmp_path / "Data.fs", revisions=2)
    report = Remembered()
    with fake_zeo(serve) as address, pytest.raises(ActionError, match=reason) as failed:
        pack(
            PackTarget(storage_of(tmp_path / "Data.fs"), ZeoEngine([address], "1")), AT_ONCE, report
        )
    assert type(failed.value) is kind
    assert failed.value.stage == "packing"
    assert "Zen of Python" not in report.text


def test_an_unknown_storage_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    with serving(tmp_path / "zeo", revisions=2) as (server, target):
        assert target.storage is not None
        wrong = PackTarget(
            target.storage, ZeoEngine([f"127.0.0.1:{server.port}"], "nothing", connect=1)
        )
        with pytest.raises(ActionError) as failed:
            pack(wrong, AT_ONCE, Remembered())
        assert "unknown storage: nothing" in failed.value.reason


def test_a_storage_that_says_already_packing_for_ever_is_explained(tmp_path: Path) -> None:
    with serving(tmp_path / "zeo") as (server, target):
        data_fs = server.data_fs("main")
        old = data_fs.with_name(data_fs.name + ".old")
        old.mkdir()
        with pytest.raises(RefusedError) as refused:
            pack(target, AT_ONCE, Remembered())
        assert refused.value.code == "old"
        # What our refusal keeps one from: only a pack from elsewhere gets there.
        assert target.storage is not None
        blind = PackTarget(None, target.engine)
        with pytest.raises(ActionError):
            pack(blind, AT_ONCE, Remembered())
        old.rmdir()
        with pytest.raises(ActionError) as failed:
            pack(blind, AT_ONCE, Remembered())
        assert "until Zope or ZEO is restarted" in failed.value.reason


def test_a_server_behind_tls_is_shown_the_certificate_of_its_clients(tmp_path: Path) -> None:
    authority, ca = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    for name in ("127.0.0.1", "client.test"):
        issued = authority.issue_cert(name)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
    server = ZeoServer(
        OWN,
        tmp_path / "zeo",
        storages=("main",),
        settings=f"<ssl>\n certificate {tmp_path}/127.0.0.1.pem\n authenticate {ca}\n</ssl>",
    )
    make_database(server.data_fs("main"))
    with server:
        storage = storage_of(server.data_fs("main"), as_known(server.pid))
        address = f"127.0.0.1:{server.port}"
        tls = TlsFiles(ca, tmp_path / "client.test.pem")
        result = pack(PackTarget(storage, ZeoEngine([address], "main", tls)), AT_ONCE, Remembered())
        assert result.freed
        assert result.freed > 190_000
        with pytest.raises(ActionError, match="requires TLS"):
            pack(PackTarget(storage, ZeoEngine([address], "main", None, 1)), AT_ONCE, Remembered())
        nothing = TlsFiles(ca, tmp_path / "nothing.pem")
        with pytest.raises(ActionError, match="pem cannot be used"):
            pack(PackTarget(storage, ZeoEngine([address], "main", nothing)), AT_ONCE, Remembered())


def test_promise_4_a_server_without_room_has_not_packed(small_disk: Path) -> None:
    with serving(small_disk / "zeo", revisions=2, size=1_400_000) as (server, target):
        before = items(server.data_fs("main"))
        with pytest.raises(RefusedError) as refused:
            pack(target, replace(AT_ONCE, headroom=1 << 20), Remembered())
        assert refused.value.code == "room"
        free = shutil.disk_usage(small_disk).free
        (small_disk / "filler").write_bytes(bytes(free - 500_000))
        # What our refusal keeps one from.
        blind = PackTarget(None, target.engine)
        with pytest.raises(ActionError) as failed:
            pack(blind, AT_ONCE, Remembered())
        assert "No space left" in failed.value.reason
        assert items(server.data_fs("main")) == before
        (small_disk / "filler").unlink()
        # With what is garbage known, the copy needs no more room than what is kept.
        assert pack(target, replace(AT_ONCE, garbage=Garbage(1_400_000)), Remembered()).freed
