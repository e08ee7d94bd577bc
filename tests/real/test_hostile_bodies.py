"""The real exporter, and peers without a token that send too much or too slowly."""

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import trustme
import yaml

from tests.support.programs.exporter import Running, serving
from tests.support.programs.processes import eventually

TOKEN = "t0p-s3cret-0123456789abcdef"
PATHS = ("/api/v1/alertmanager", "/api/v1/actions/backup", "/metrics")
MEGABYTE = bytes(1 << 20)
ENOUGH = 20 * 2**20  # bytes the exporter may grow by
CLOSED_WITHIN = 15.0  # seconds: 10, and what a busy machine takes


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "state", *_flags(tmp_path), log=tmp_path / "log") as running:
        eventually(running.page)
        yield running


def _flags(directory: Path) -> tuple[str | Path, ...]:
    token = directory / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    config = directory / "config.yml"
    config.write_text(yaml.safe_dump({"discover": False, "actions": {"token_file": str(token)}}))
    return "--config.file", config


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), CLOSED_WITHIN)


def _head(path: str, length: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    ).encode()


def _flood(url: str, path: str, answers: list[bytes]) -> None:
    chunked = path.endswith("backup")
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {300 << 20}"
    with _connect(url) as peer, suppress(ConnectionError):
        peer.sendall(_head(path, length))
        piece = b"100000\r\n" + MEGABYTE + b"\r\n" if chunked else MEGABYTE
        with suppress(ConnectionError):
            for _ in range(300):
                peer.sendall(piece)
        answers.append(peer.recv(1000))


def _last_closed(peers: Iterable[socket.socket]) -> float:
    """Wait until the other side has closed all of these; return when, on the monotonic clock."""
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(CLOSED_WITHIN)
            assert ready, f"{len(selector.get_map())} are open still"
            for key, _ in ready:
                if _ends(key.fileobj):
                    selector.unregister(key.fileobj)
    return time.monotonic()


def _ends(peer: object) -> bool:
    assert isinstance(peer, socket.socket)
    try:
        return not peer.recv(1 << 16)
    except ConnectionError:
        return True


def test_promise_16_no_body_without_a_token_costs_memory_or_time(running: Running) -> None:
    process = psutil.Process(running.process.pid)
    before = process.memory_info().rss
    answers: list[bytes] = []
    floods = [threading.Thread(target=_flood, args=(running.url, path, answers)) for path in PATHS]
    with ExitStack() as stack:
        begun = time.monotonic()
        drips = [stack.enter_context(_connect(running.url)) for _ in PATHS]
        half_open = [stack.enter_context(_connect(running.url)) for _ in range(300)]
        for peer, path in zip(drips, PATHS, strict=True):
            peer.sendall(_head(path, "Content-Length: 1000"))
        for flood in floods:
            flood.start()
        peak = before
        while any(flood.is_alive() for flood in floods):
            for peer in drips:
                with suppress(OSError):
                    peer.sendall(b" ")
            peak = max(peak, process.memory_info().rss)
            assert running.page()  # a good scrape answers meanwhile
        took = _last_closed([*drips, *half_open]) - begun
        peak = max(peak, process.memory_info().rss)
    assert took < CLOSED_WITHIN
    assert peak - before < ENOUGH
    assert all(answer.split(b" ")[1] in {b"401", b"405", b"413"} for answer in answers if answer)


def test_actions_are_only_for_who_has_the_certificate_and_the_token(tmp_path: Path) -> None:
    authority, strangers = trustme.CA(), trustme.CA()
    ours = authority.issue_cert("127.0.0.1", "localhost")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = {
        "cert_file": "server.pem",
        "key_file": "server.pem",
        "client_ca_file": "ca.pem",
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls}))
    flags = (*_flags(tmp_path), "--web.config.file", tmp_path / "web.yml")
    auth = {"Authorization": f"Bearer {TOKEN}"}

    def client(issuer: trustme.CA | None) -> httpx.Client:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if issuer is not None:
            issuer.issue_cert("client@example.org").configure_cert(context)
        return httpx.Client(verify=context, trust_env=False, timeout=30)

    with serving(tmp_path / "state", *flags, log=tmp_path / "log") as running:
        jobs = f"{running.url}/api/v1/jobs"
        with client(authority) as known:
            assert known.get(jobs, headers=auth).json() == {"jobs": []}
            assert known.get(jobs).status_code == 401
        for issuer in (None, strangers):
            with client(issuer) as unknown, pytest.raises(httpx.TransportError):
                unknown.get(jobs, headers=auth)
    assert "s3cret" not in (tmp_path / "log").read_text()
