import asyncio
import base64
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import bcrypt
import httpx
import pytest

from tests.support.web.server import (
    Held,
    app_of,
    connect,
    eventually,
    get,
    read_to_end,
    serving,
    status,
)
from zope_exporter.web import auth
from zope_exporter.web.auth import MOST_WAITING, PasswordCheck, hash_of_nobody
from zope_exporter.web.server import Server
from zope_exporter.web.turns import BusyError

HERE = "127.0.0.1"
OPEN = ("/-/healthy", "/-/ready")
PATHS = ("/", "/metrics", "/-/healthy/", "//-/healthy", "/-/", "/nowhere")


def hashed(password: bytes, cost: int = 4, prefix: bytes = b"2b") -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost, prefix)).decode()


def basic(credentials: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def config_of(directory: Path, users: dict[str, str]) -> Path:
    path = directory / "web.yml"
    entries = "".join(f'  "{name}": "{value}"\n' for name, value in users.items())
    path.write_text(
        f"http_server_config: {{headers: {{X-Frame-Options: deny}}}}\nbasic_auth_users:\n{entries}"
    )
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    users = {
        "alice": hashed(b"geheim"),
        "apache": hashed(b"geheim").replace("$2b$", "$2y$"),
        "old": hashed(b"geheim", prefix=b"2a"),
        "jürgen": hashed("pässword".encode()),
        "long": hashed(b"x" * 72),
        "nothing": hashed(b""),
        "colon": hashed(b"a:b"),
    }
    with serving(web_config=config_of(tmp_path_factory.mktemp("auth"), users)) as server:
        yield server


@pytest.mark.parametrize("path", PATHS)
def test_every_route_asks(server: Server, path: str) -> None:
    answer = httpx.get(server.url + path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="zope-exporter", charset="UTF-8"'
    assert answer.headers["x-frame-options"] == "deny"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("credentials", [None, b"alice:wrong", b"alice:geheim"])
def test_health_is_told_whoever_asks(
    server: Server, path: str, method: str, credentials: bytes | None
) -> None:
    headers = basic(credentials) if credentials else {}
    answer = httpx.request(method, server.url + path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-frame-options"] == "deny"
    assert "www-authenticate" not in answer.headers
    word = path.removeprefix("/-/")
    assert answer.text == ("" if method == "HEAD" else f"zope-exporter is {word}.\n")


@pytest.mark.parametrize("target", ["http://localhost/metrics", "HTTPS://[::1]:1/metrics?a=b"])
def test_a_target_in_absolute_form_is_no_way_around(server: Server, target: str) -> None:
    with connect(server) as peer:
        peer.sendall(get(target, ["Connection: close"]))
        assert status(read_to_end(peer)) == 401


@pytest.mark.parametrize(
    "credentials",
    [
        b"alice:geheim",
        b"apache:geheim",
        b"old:geheim",
        "jürgen:pässword".encode(),
        b"long:" + b"x" * 72,
        b"nothing:",
        b"colon:a:b",
    ],
)
def test_who_has_the_password_comes_in_again_and_again(server: Server, credentials: bytes) -> None:
    for _ in range(2):
        answer = httpx.get(f"{server.url}/metrics", headers=basic(credentials))
        assert answer.status_code == 200
        assert answer.headers["x-frame-options"] == "deny"
    assert httpx.get(f"{server.url}/nowhere", headers=basic(credentials)).status_code == 404


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Basic",
        b"Basic !!!",
        b"Basic YWxpY2U6Z2VoZWl",
        b"Basic YWxpY2U6Z2Vo\xe9ZWlt",
        b"Bearer YWxpY2U6Z2VoZWlt",
        b"Digest username=alice",
        b"alice:geheim",
        b"Basic " + base64.b64encode(b"alice"),
        b"Basic " + base64.b64encode(b":geheim"),
        b"Basic " + base64.b64encode(b"alice:"),
        b"Basic " + base64.b64encode(b"alice:Geheim"),
        b"Basic " + base64.b64encode(b"alice:geheim\0"),
        b"Basic " + base64.b64encode(b"alice:geheim\0geheim"),  # the same to bcrypt
        b"Basic " + base64.b64encode(b"alice\0:geheim"),
        b"Basic " + base64.b64encode(b"\xff\xfe:geheim"),
        b"Basic " + base64.b64encode(b"alice:\xff\xfe"),
        b"Basic " + base64.b64encode(b"long:" + b"x" * 73),
        b"Basic " + base64.b64encode(b"alice:" + b"x" * 10_000),
        b"Basic " + base64.b64encode(b"nobody:geheim"),
        b"Basic " + base64.b64encode(b"j\xfcrgen:geheim"),
    ],
)
def test_everything_else_is_unauthorized(server: Server, authorization: bytes) -> None:
    answer = httpx.get(f"{server.url}/metrics", headers={b"Authorization": authorization})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


def test_a_hash_is_no_password(tmp_path: Path) -> None:
    """Whoever has read the file must not come in, nor prepare the memory of right passwords."""
    hashes = {"alice": hashed(b"geheim"), "alic": hashed(b"other")}
    with serving(web_config=config_of(tmp_path, hashes)) as server:
        for name, value in hashes.items():
            for stolen in (value, f"{value}geheim", f"e{value}"):
                wrong = basic(f"{name}:{stolen}".encode())
                assert httpx.get(server.url, headers=wrong).status_code == 401
        right = basic(b"alice:geheim")
        assert httpx.get(server.url, headers=right).status_code == 200
        assert httpx.get(server.url, headers=basic(b"alic:egeheim")).status_code == 401


def test_the_answer_comes_before_the_body(server: Server) -> None:
    head = b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 300000000\r\n\r\n"
    with connect(server) as peer:
        peer.sendall(head)
        assert status(read_to_end(peer)) == 401


@pytest.mark.parametrize("cost", [4, 9])
def test_promise_18_an_unknown_name_costs_what_a_known_one_does(cost: int) -> None:
    known = hashed(b"geheim", cost)
    nobody = hash_of_nobody({"alice": known})
    assert nobody[:7] == known[:7]
    assert len(nobody) == len(known)
    assert not bcrypt.checkpw(b"geheim", nobody.encode())


def test_the_queue_of_passwords_is_bounded() -> None:
    users = {"alice": hashed(b"geheim")}

    async def flood() -> list[bool | BaseException]:
        check = PasswordCheck()
        assert await check.accepts(users, basic(b"alice:geheim")["Authorization"], HERE)
        wrong = [basic(f"alice:{n}".encode())["Authorization"] for n in range(MOST_WAITING + 3)]
        right = check.accepts(users, basic(b"alice:geheim")["Authorization"], HERE)
        return await asyncio.gather(
            *(check.accepts(users, header, HERE) for header in wrong), right, return_exceptions=True
        )

    *refused, known = asyncio.run(flood())
    assert known is True
    checked = MOST_WAITING + 1  # one of them waited for nobody
    assert refused[:checked] == [False] * checked
    assert all(isinstance(answer, BusyError) for answer in refused[checked:])


def test_one_password_is_checked_at_a_time() -> None:
    users = {"alice": hashed(b"geheim", cost=8)}

    async def busiest() -> int:
        check = PasswordCheck()
        logins = asyncio.gather(
            *(
                check.accepts(users, basic(f"alice:{n}".encode())["Authorization"], HERE)
                for n in range(5)
            )
        )
        most = 0
        while not logins.done():
            # What a thread is at: one that has its answer is a thread for a moment more.
            at = [frame.f_code.co_filename for frame in sys._current_frames().values()]
            most = max(most, at.count(auth.__file__))
            await asyncio.sleep(0)
        assert logins.result() == [False] * 5
        return most

    assert asyncio.run(busiest()) == 1


def test_promise_18_a_flood_of_wrong_passwords_holds_up_nobody_known(tmp_path: Path) -> None:
    users = {"alice": hashed(b"geheim", cost=8)}
    right = basic(b"alice:geheim")
    enough = threading.Event()

    def flood(url: str, number: int) -> set[int]:
        seen = set()
        with httpx.Client(timeout=60) as client:
            while not enough.is_set():
                wrong = basic(f"alice:wrong{number}".encode())
                seen.add(client.get(url, headers=wrong).status_code)
        return seen

    with (
        serving(web_config=config_of(tmp_path, users)) as server,
        ThreadPoolExecutor(24) as pool,
        httpx.Client(timeout=60) as client,
    ):
        assert client.get(server.url, headers=right).status_code == 200
        floods = [pool.submit(flood, server.url, number) for number in range(24)]
        try:
            answers = {client.get(server.url, headers=right).status_code for _ in range(20)}
            health = {client.get(server.url + path).status_code for path in OPEN * 10}
        finally:
            enough.set()
        assert answers == {200}
        assert health == {200}
        refused = set().union(*(flood.result() for flood in floods))
    assert 401 in refused
    assert refused <= {401, 503}


def test_new_users_count_at_once_and_old_ones_no_more(tmp_path: Path) -> None:
    path = config_of(tmp_path, {"alice": hashed(b"geheim")})
    with serving(web_config=path) as server:
        assert {httpx.get(server.url + path).status_code for path in OPEN} == {200}
        assert httpx.get(server.url, headers=basic(b"alice:geheim")).status_code == 200
        config_of(tmp_path, {"bob": hashed(b"secret")})
        assert httpx.get(server.url, headers=basic(b"alice:geheim")).status_code == 401
        assert httpx.get(server.url, headers=basic(b"bob:secret")).status_code == 200
        config_of(tmp_path, {"bob": hashed(b"newer")})
        assert httpx.get(server.url, headers=basic(b"bob:secret")).status_code == 401
        assert {httpx.get(server.url + path).status_code for path in OPEN} == {200}


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/ready", "/nowhere"])
@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{}",
        "basic_auth_users:",
        "basic_auth_users: {alice: geheim}",
        "a: [",
        "\0",
        "rate_limit: {}",
        "rate_limit: {interval: 1s, burst: 0}",
        "tls_server_config: {cert_file: a, key_file: b}",
    ],
)
def test_a_file_broken_while_running_lets_nobody_in(
    tmp_path: Path, damage: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(tmp_path, {"alice": hashed(b"geheim")})
    good = config.read_text()
    right = basic(b"alice:geheim")
    with serving(web_config=config) as server:
        config.write_text(damage)
        for headers in ({}, right):
            answer = httpx.get(server.url + path, headers=headers)
            assert answer.status_code == 500
            assert answer.text == "The web configuration is broken; see the log.\n"
        assert httpx.get(f"{server.url}/-/healthy").status_code == 200  # a restart would not help
        config.write_text(good)
        assert httpx.get(server.url, headers=right).status_code == 200
    told = [record for record in caplog.records if "refusing every request" in record.message]
    assert len(told) == 1
    assert "geheim" not in caplog.text


def test_a_file_deleted_while_running_lets_nobody_in(tmp_path: Path) -> None:
    config = config_of(tmp_path, {"alice": hashed(b"geheim")})
    right = basic(b"alice:geheim")
    with serving(web_config=config) as server:
        kept = config.rename(tmp_path / "kept.yml")
        assert httpx.get(server.url, headers=right).status_code == 500
        kept.rename(config)
        assert httpx.get(server.url, headers=right).status_code == 200


def test_bcrypt_does_not_stop_a_scrape_that_runs(tmp_path: Path) -> None:
    held = Held()
    config = config_of(tmp_path, {"alice": hashed(b"geheim")})
    right = basic(b"alice:geheim")
    with serving(app_of(held), web_config=config) as server, ThreadPoolExecutor(1) as pool:
        scrape = pool.submit(httpx.get, f"{server.url}/metrics", headers=right)
        eventually(held.begun.is_set)
        assert httpx.get(server.url, headers=basic(b"alice:wrong")).status_code == 401
        held.release.set()
        assert scrape.result().status_code == 200


def test_get_without_credentials_in_raw(server: Server) -> None:
    with connect(server) as peer:
        peer.sendall(get(headers=["Connection: close"]))
        answer = read_to_end(peer)
    assert status(answer) == 401
    assert b"zope_" not in answer


def test_a_flood_of_wrong_passwords_holds_up_nobody_at_another_address(tmp_path: Path) -> None:
    users = {"alice": hashed(b"geheim", cost=8)}
    requests = [
        get(headers=[f"Authorization: {basic(f'alice:{n}'.encode())['Authorization']}"])
        for n in range(MOST_WAITING * 3)
    ]
    with serving(web_config=config_of(tmp_path, users)) as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        for request in requests:
            there = socket.create_connection((HERE, port), source_address=("127.0.0.2", 0))
            stack.enter_context(there).sendall(request)
        # None of these was remembered, and before none but the first sixteen were even checked.
        answer = httpx.get(server.url, headers=basic(b"alice:geheim"), timeout=60)
        assert answer.status_code == 200
        assert server.server_state.tasks  # the flood was still waiting


def test_requests_beyond_the_rate_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("rate_limit: {interval: 1h, burst: 3}\n")
    with serving(web_config=config) as server:
        answers = [httpx.get(server.url) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].text == "Too many requests.\n"
        assert {httpx.get(server.url + path).status_code for path in OPEN} == {200}
        config.write_text("rate_limit: {interval: 0, burst: 1}\n# off\n")
        assert {httpx.get(server.url).status_code for _ in range(5)} == {200}
