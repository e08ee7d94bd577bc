"""Whatever a client sends, and in whatever pieces, it gets one answer or none."""

import socket
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from Products.ZopeExporterAgent.conversation import Conversation, RefusedError

WORDS = [b"GET", b"POST", b" ", b"/v1/status", b"HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b":", b""]
LINES = [b"Content-Length: 3", b"content-length:5", b"Content-Length: x", b"Host: a", b"abc", b"\0"]
MESSAGES = st.lists(st.sampled_from(WORDS + LINES) | st.binary(max_size=9)).map(b"".join)
GOOD = st.binary(max_size=40).map(
    lambda body: b"POST /v1/pack HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
)


def answer(request: Any) -> tuple[int, dict[str, Any]]:
    if request.path == "/":
        raise RefusedError(404, "no such page")
    return 200, {"method": request.method, "path": request.path, "body": request.body.hex()}


def converse(pieces: list[bytes]) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        conversation = Conversation(ours, 0.0, answer)
        for piece in pieces:
            theirs.sendall(piece)
            if piece and not conversation.proceed():
                break
        try:
            return theirs.recv(65536)
        except BlockingIOError:
            return b""


@given(message=MESSAGES | GOOD, cuts=st.lists(st.integers(0, 200), max_size=5))
def test_pieces_make_no_difference(message: bytes, cuts: list[int]) -> None:
    whole = converse([message])
    assert whole == b"" or whole.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 4"))
    places = [0, *sorted(cuts), len(message)]
    pieces = [message[begin:end] for begin, end in pairwise(places)]
    if len(pieces) == 1 or b"".join(pieces) == message:
        assert converse(pieces) == whole


@given(GOOD)
def test_a_whole_request_is_answered(message: bytes) -> None:
    assert converse([message]).startswith(b"HTTP/1.1 200 ")
