"""Servers that are told to pack and do whatever they like: nothing they say is unpickled."""

import os
import pickle
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.support.zeo.fake_server import (
    GREETING,
    Serve,
    answers_on,
    fake_zeo,
    greets_and,
    letting_in,
    replying,
    sends,
    silent,
)
from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.clients.zeo.link import NoAnswerError, ZeoError, connected
from zope_exporter.clients.zeo.order import MOST_UNANSWERED, RefusedOrderError, Server
from zope_exporter.clients.zeo.status import frame

PATIENCE = 20.0
SOON = 0.5
ASK = 0.02


def pack(address: str, patience: float = PATIENCE, ask: float = PATIENCE) -> None:
    with connected(address, None, time.monotonic() + patience, Resolver()) as link:
        Server(link, "1").pack(0.0, patience, ask)


def says_and_hangs(*parts: bytes) -> Serve:
    def say(link: socket.socket) -> None:
        sends(*parts)(link)
        silent(link)

    return say


def repeats(part: bytes, pause: float = 0.0) -> Serve:
    def repeat(link: socket.socket) -> None:
        while True:
            link.sendall(part)
            threading.Event().wait(pause)

    return repeat


COMMIT = frame(pickle.dumps((0, True, "invalidateTransaction", (bytes(8), [bytes(8)])), 3))
LARGE_COMMIT = frame(
    pickle.dumps((0, True, "invalidateTransaction", (bytes(8), [bytes(1 << 25)])), 3)
)
PACKED = replying(2, None)


@pytest.mark.parametrize(
    "answer",
    [
        PACKED,
        COMMIT + PACKED,
        replying(7, None) + PACKED,
        # As a server with Python 2 has it.
        frame(b"\x80\x03(K\x02K\x00U\x06.replyNt."),
    ],
)
def test_a_server_that_has_packed(answer: bytes) -> None:
    with fake_zeo(letting_in(sends(answer))) as address:
        pack(address)


def test_a_server_that_packs_in_silence_is_asked_whether_it_lives() -> None:
    def packs_later(link: socket.socket) -> None:
        answers_on(link, 2 * MOST_UNANSWERED)
        link.sendall(PACKED)

    with fake_zeo(letting_in(packs_later)) as address:
        pack(address, ask=ASK)


def test_a_server_that_answers_nothing_any_more_is_given_up() -> None:
    def dies_later(link: socket.socket) -> None:
        answers_on(link, 2)
        silent(link)

    with (
        fake_zeo(letting_in(dies_later)) as address,
        pytest.raises(NoAnswerError, match="has answered nothing for"),
    ):
        pack(address, ask=ASK)


def test_what_it_says_of_a_large_commit_is_not_kept() -> None:
    with fake_zeo(letting_in(sends(LARGE_COMMIT, PACKED))) as address:
        tracemalloc.start()
        try:
            pack(address)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2 << 20


REFUSED = {
    "FileStorageError: Already packing": (
        "ZODB.FileStorage.FileStorageError",
        ("Already packing",),
    ),
    "OSError: No space left on device": ("builtins.OSError", (28, "No space left on device")),
    "KeyError": ("builtins.KeyError", ()),
    "ConflictError: message, two at once": (
        "ZODB.POSException.ConflictError",
        {"message": "two at once"},
    ),
    "E:  [31m" + "x" * 492: ("E", ("\x1b[31m" + "x" * 1000,)),
}


@pytest.mark.parametrize(("reason", "error"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_server_that_could_not_is_quoted(reason: str, error: object) -> None:
    with (
        fake_zeo(letting_in(sends(replying(2, error, flag=2)))) as address,
        pytest.raises(RefusedOrderError) as refused,
    ):
        pack(address)
    assert str(refused.value) == reason


class Runs:
    """What an unpickler would make by running a command, or importing what has effects."""

    def __init__(self, *how: object) -> None:
        self._how = how

    def __reduce__(self) -> tuple[object, ...]:
        return self._how


def test_nothing_that_it_sends_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for call in (1, 2):
        answer = replying(call, Runs(os.system, (f"touch {marker}",)))
        assert pickle.loads(answer[4:])  # it would be
        marker.unlink()
        serve = letting_in(sends(answer)) if call == 2 else greets_and(sends(answer))
        with fake_zeo(serve) as address, pytest.raises(RefusedOrderError, match="system: touch"):
            pack(address)
        assert not marker.exists()


# Each ends without a word of its own, whatever it does: closed, or silent after a part.
MISBEHAVIOUR: dict[str, tuple[Serve, str]] = {
    "mute": (silent, "does not answer in time"),
    "closes": (socket.socket.close, "closes the connection without an answer"),
    "ssh": (says_and_hangs(b"SSH-2.0-OpenSSH_9.2\r\n"), "speaks another protocol than ZEO"),
    "of ZODB3": (says_and_hangs(frame(b"Z310")), "is of protocol 310"),
    "greets for ever": (repeats(GREETING), "an answer that no ZEO server gives"),
    "greets and hangs": (greets_and(silent), "does not finish its answer"),
    "greets and closes": (greets_and(sends(b"\0")), "closes the connection in the middle"),
    "drips": (greets_and(says_and_hangs(frame(bytes(100))[:50])), "does not finish its answer"),
    "promises all": (greets_and(says_and_hangs(b"\xff\xff\xff\xff")), "does not finish"),
    "floods": (greets_and(repeats(b"\xff" * 65536)), "does not finish its answer"),
    "tells of commits for ever": (greets_and(repeats(COMMIT)), "does not finish its answer"),
    "no pickle": (greets_and(says_and_hangs(frame(b"pong"))), "an answer that no ZEO server gives"),
    "nothing": (greets_and(says_and_hangs(frame(b""))), "an answer that no ZEO server gives"),
    "packed already": (greets_and(sends(PACKED)), "closes the connection in the middle"),
    "then closes": (letting_in(sends(b"")), "closes the connection in the middle"),
    "then half an answer": (letting_in(says_and_hangs(PACKED[:-1])), "does not finish its answer"),
    "then drips": (letting_in(repeats(b"\0\xff", 0.05)), "does not finish its answer"),
    "then no pickle": (letting_in(says_and_hangs(frame(b"x"))), "an answer that no ZEO server"),
}


@pytest.mark.parametrize(("serve", "problem"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_whatever_else_it_does_ends_in_time_and_is_named(serve: Serve, problem: str) -> None:
    slow = "finish" in problem or "in time" in problem
    with fake_zeo(serve) as address, pytest.raises(ZeoError, match=problem) as failed:
        pack(address, SOON if slow else PATIENCE)
    assert not isinstance(failed.value, RefusedOrderError)


def records(serve: Serve, *oids: int) -> dict[int, bytes]:
    with (
        fake_zeo(serve) as address,
        connected(address, None, time.monotonic() + PATIENCE, Resolver()) as link,
    ):
        return Server(link, "1").records(oids)


def test_records_are_given_as_they_are_and_none_is_unpickled() -> None:
    record, large = pickle.dumps(Runs(os.abort, ())), bytes(2 << 20)
    gone = "ZODB.POSException.POSKeyError", (bytes(8),)
    answers = (
        replying(2, (record, bytes(8), None)),
        COMMIT + replying(3, gone, flag=2),
        replying(4, (large, bytes(8), None)),
        replying(5, None),
    )
    serve = greets_and(silent, replying(1, bytes(8)), *answers)
    assert records(serve, 0, 1, 2, 3) == {0: record}


def test_those_of_a_server_with_python_2() -> None:
    answer = frame(b"\x80\x02(K\x02K\x00U\x06.reply(U\x03c\xff.U\x08tidtidti" + b"Ntt.")
    assert records(greets_and(silent, replying(1, bytes(8)), answer), 0) == {0: b"c\xff."}
