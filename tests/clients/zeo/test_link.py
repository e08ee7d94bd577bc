"""Frames, in whatever pieces they come."""

import socket
import time
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.zeo.fake_server import GREETING
from zope_exporter.clients.zeo.link import InvalidAnswerError, Link, NoAnswerError
from zope_exporter.clients.zeo.status import ask_ruok, frame


class Pieces:
    """In the place of a socket: gives these pieces, then the end of the stream."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.sent = b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def recv(self, most: int) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > most:
            self._pieces.insert(0, piece[most:])
        return piece[:most]


def link(pieces: Pieces) -> Link:
    return Link(cast("socket.socket", pieces), time.monotonic() + 60)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(bounds)]


@given(st.lists(st.integers(0, 1000), max_size=20))
def test_an_answer_in_any_pieces_is_the_same(places: list[int]) -> None:
    peer = Pieces(*cut(GREETING + frame(b'{"1": {"commits": 5}}'), places))
    storages = ask_ruok(link(peer))
    assert storages is not None
    assert storages["1"].commits == 5
    assert peer.sent == frame(b"ruok")


@given(st.integers(1, 40))
def test_an_answer_cut_off_anywhere_is_none(length: int) -> None:
    stream = GREETING + frame(b'{"1": {"commits": 5}}' + b" " * 20)
    with pytest.raises(InvalidAnswerError, match="in the middle"):
        ask_ruok(link(Pieces(stream[:length])))


def test_an_end_before_the_first_byte_is_silence() -> None:
    with pytest.raises(NoAnswerError):
        ask_ruok(link(Pieces()))


@given(st.binary(min_size=1, max_size=100))
def test_other_protocols_are_named_and_never_answered(stream: bytes) -> None:
    peer = Pieces(stream)
    with pytest.raises(InvalidAnswerError):
        ask_ruok(link(peer))
    assert peer.sent == b""


@pytest.mark.parametrize("greeting", [b"Z200", b"Z310", b"Z3101"])
def test_a_server_of_zodb3_is_asked_nothing(greeting: bytes) -> None:
    peer = Pieces(frame(greeting))
    assert ask_ruok(link(peer)) is None
    assert peer.sent == b""


@pytest.mark.parametrize(("greeting", "resolved"), [(b"Z4", 4), (b"Z5", None), (b"M5", None)])
def test_conflicts_resolved_are_those_of_servers_that_count_them(
    greeting: bytes, resolved: int | None
) -> None:
    storages = ask_ruok(link(Pieces(frame(greeting), frame(b'{"1": {"conflicts_resolved": 4}}'))))
    assert storages is not None
    assert storages["1"].conflicts_resolved == resolved
