"""Real ZEO servers of every generation, and clients that commit, wait and are stopped."""

import os
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.support.programs.exporter import serving, zope_exporter
from tests.support.programs.processes import eventually
from tests.support.programs.server import free_port
from tests.support.zeo.clients import ZeoClient
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.clients.zeo.probe import ZeoProber, ZeoResult
from zope_exporter.clients.zeo.status import StorageStatus
from zope_exporter.discovery.inventory import ZeoServer as Asked

StartZope = Callable[..., ZopeInstance]
StartZeo = Callable[..., ZeoServer]

PATIENCE = 20.0


def probe(zeo: ZeoServer, monitor: str = "", timeout: float = PATIENCE) -> ZeoResult:
    return ZeoProber(timeout).probe(Asked("zeo", zeo.address, monitor=monitor))


def status(zeo: ZeoServer, monitor: str = "") -> StorageStatus:
    answer = probe(zeo, monitor)
    assert answer.storages is not None, answer
    return answer.storages["1"]


def counted(told: StorageStatus, *names: str) -> list[int]:
    return [getattr(told, name) for name in names]


def test_what_clients_do_is_what_is_told(
    any_zope: Environment, start_zeo: StartZeo, ending: ExitStack
) -> None:
    old = any_zope.name == "zope213"
    monitor = f"127.0.0.1:{free_port()}" if old else ""
    zeo = start_zeo(any_zope, settings=f"monitor-address {monitor}" if old else "")
    first, _ = (ending.enter_context(ZeoClient(zeo)) for _ in range(2))
    first.do("commit", "1")  # which makes the root object as well
    before = status(zeo, monitor)
    assert before.clients == 2
    assert before.lock_acquired is None
    first.do("commit", "7")
    after = status(zeo, monitor)
    moved = counted(after, "commits", "stores", "aborts", "conflicts")
    assert [
        now - then
        for now, then in zip(
            moved, counted(before, "commits", "stores", "aborts", "conflicts"), strict=True
        )
    ] == [7, 7, 0, 0]
    assert after.conflicts_resolved == (0 if old else None)
    if not old:
        assert after.last_transaction == pytest.approx(time.time(), abs=60)


def test_a_stuck_commit_is_seen_and_who_waits_for_it(
    any_zope: Environment, start_zeo: StartZeo, ending: ExitStack
) -> None:
    old = any_zope.name == "zope213"
    monitor = f"127.0.0.1:{free_port()}" if old else ""
    zeo = start_zeo(any_zope, settings=f"monitor-address {monitor}" if old else "")
    stuck, waiting = (ending.enter_context(ZeoClient(zeo)) for _ in range(2))
    began = time.time()
    stuck.tell("vote")
    stuck.hear("voting")
    stuck.hear("vote")
    waiting.tell("vote")
    waiting.hear("voting")
    eventually(lambda: status(zeo, monitor).active_transactions == 2)
    told = status(zeo, monitor)
    assert told.lock_acquired is not None
    # The monitor port of Zope 2 leaves out what is less than a second.
    assert began - 1 < told.lock_acquired < time.time() + 1
    assert old or eventually(lambda: status(zeo).waiting_commits == 1)
    stuck.do("abort")
    waiting.hear("vote")
    waiting.do("abort")
    free = status(zeo, monitor)
    assert free.lock_acquired is None
    assert counted(free, "active_transactions", "aborts", "commits") == [0, 2, 0]
    assert free.waiting_commits == (None if old else 0)


@pytest.mark.parametrize("setting", ["", "monitor-address 127.0.0.1:{port}"])
def test_a_server_of_zope_2_is_up_with_or_without_its_monitor_port(
    zope213: Environment, start_zeo: StartZeo, setting: str
) -> None:
    port = free_port()
    zeo = start_zeo(zope213, settings=setting.format(port=port))
    answer = probe(zeo, f"127.0.0.1:{port}")
    assert (answer.up, answer.problem) == (True, "")
    assert (answer.storages is None) == (not setting)
    assert "bad handshake" not in zeo.event_log.read_text()


def test_a_server_that_is_stopped_and_started_under_load(
    zope63: Environment, start_zeo: StartZeo, ending: ExitStack
) -> None:
    zeo = start_zeo(zope63)
    writer = ending.enter_context(ZeoClient(zeo))
    writer.do("commit", "100")
    writer.tell("write")
    eventually(lambda: (status(zeo).commits or 0) > 150)
    zeo.stop(signal.SIGKILL)
    assert probe(zeo) == ZeoResult(False)
    zeo.start()
    assert (status(zeo).commits or 0) < 150
    # The client comes back by itself.
    eventually(lambda: (status(zeo).commits or 0) > 10, 60)


def test_a_server_that_hangs_is_not_up(zope63: Environment, start_zeo: StartZeo) -> None:
    zeo = start_zeo(zope63)
    os.kill(zeo.pid, signal.SIGSTOP)
    try:
        assert probe(zeo, timeout=0.5) == ZeoResult(False)
    finally:
        os.kill(zeo.pid, signal.SIGCONT)
    assert probe(zeo).up


def connections(zeo: ZeoServer) -> int:
    lines = zeo.event_log.read_text().splitlines()
    return sum("onnected" in line and "disconnected" not in line for line in lines)


def test_scrapes_of_two_sites_cost_the_servers_log_one_line_in_ten_seconds(
    zope63: Environment, start_zeo: StartZeo, start_zope: StartZope, tmp_path: Path
) -> None:
    zeo = start_zeo(zope63, "shared", storages=["1", "2"])
    for name, storage in (("one", "1"), ("two", "2")):
        start_zope(zope63, name, storage=zeo.client(storage))
    with serving(tmp_path / "state", log=tmp_path / "exporter.log") as exporter:

        def ups() -> dict[tuple[str, str], float]:
            series = exporter.page().get("zope_zeo_up", {})
            named = ((dict(labels), up) for labels, up in series.items())
            return {(of["site"], of["storage"]): up for of, up in named if of["server"] == "shared"}

        both = {("one", "1"): 1.0, ("two", "2"): 1.0}
        eventually(lambda: ups() == both)
        before, began = connections(zeo), time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: ups() == both, range(40)))
        seconds = time.monotonic() - began
        assert connections(zeo) - before <= 1 + seconds / 10
        # And they do go on.
        eventually(lambda: ups() == both and connections(zeo) > before, 60)


def test_a_server_behind_tls_is_asked_with_the_certificate_of_its_client(
    zope63: Environment, start_zeo: StartZeo, start_zope: StartZope, tmp_path: Path
) -> None:
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    for name in ("127.0.0.1", "client.test"):
        certificate = authority.issue_cert(name)
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")

    def section(name: str) -> str:
        return f"<ssl>\n certificate {tmp_path / name}.pem\n authenticate {ca}\n</ssl>"

    zeo = start_zeo(zope63, "vault", settings=section("127.0.0.1"))

    def found(*flags: str | Path) -> str:
        run = zope_exporter("check", *flags, state_dir=tmp_path / "state")
        return "\n".join(line for line in run.stdout.splitlines() if zeo.address in line)

    assert "wants TLS with a certificate of the client" in found()
    config = tmp_path / "config.yaml"
    config.write_text(
        f"sites:\n- name: vault\n  zeo: [{{address: '{zeo.address}', ca_file: {ca},"
        f" cert_file: client.test.pem}}]\n"
    )
    assert f"{zeo.address} serves storage 1, 0 clients" in found("--config.file", config)
    client = f"<clientstorage>\nserver {zeo.address}\n{section('client.test')}\n</clientstorage>"
    start_zope(zope63, "client", storage=f"%import ZEO\n{client}")
    assert f"{zeo.address} serves storage 1, 1 client" in found()


def test_a_server_behind_a_unix_socket(
    zope63: Environment, start_zeo: StartZeo, start_zope: StartZope, tmp_path: Path
) -> None:
    zeo = start_zeo(zope63, "cellar", unix_socket=tmp_path / "zeo.sock")
    start_zope(zope63, "client", storage=zeo.client())
    run = zope_exporter("check", state_dir=tmp_path / "state")
    assert re.search(rf"zeo cellar +{zeo.address} serves storage 1, 1 client", run.stdout)
