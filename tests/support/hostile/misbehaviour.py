"""What a bad web server may do with a request: one coroutine each, by path."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable


class Peer:
    """The client whose request has been read, as a misbehaviour sees it."""

    def __init__(self, writer: asyncio.StreamWriter, stop: asyncio.Event) -> None:
        self._writer = writer
        self._stop = stop

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except asyncio.TimeoutError:
            return

    @property
    def open(self) -> bool:
        return not self._stop.is_set()

    def reset(self) -> None:
        self._writer.transport.abort()


Misbehaviour = Callable[[Peer], Awaitable[None]]


def says(*parts: bytes) -> Misbehaviour:
    async def say(peer: Peer) -> None:
        for part in parts:
            await peer.send(part)

    return say


def page(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Misbehaviour:
    length = b"Content-Length: %d" % len(body)
    lines = (b"HTTP/1.1 " + status, length, *headers, b"", body)
    return says(b"\r\n".join(lines))


def redirect(location: bytes) -> Misbehaviour:
    return page(b"", b"Location: " + location, status=b"302 Found")


def drips(opening: bytes, drop: bytes) -> Misbehaviour:
    async def drip(peer: Peer) -> None:
        await peer.send(opening)
        while peer.open:
            await peer.send(drop)
            await peer.pause(0.2)

    return drip


def floods(opening: bytes, wave: bytes) -> Misbehaviour:
    async def flood(peer: Peer) -> None:
        await peer.send(opening)
        while peer.open:
            await peer.send(wave)
            await asyncio.sleep(0)  # to a client that reads as fast, sending alone never yields

    return flood


def falls_silent(*parts: bytes) -> Misbehaviour:
    async def fall_silent(peer: Peer) -> None:
        await says(*parts)(peer)
        await silence(peer)

    return fall_silent


async def silence(peer: Peer) -> None:
    while peer.open:
        await peer.pause(3600)


async def reset(peer: Peer) -> None:
    peer.reset()


def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BOMB = _bomb(megabytes=50)

MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "/ok": page(b" 1\n"),
    "/nothing": page(b""),
    "/latin-1": page("Grün".encode("latin-1"), b"Content-Type: text/plain; charset=latin-1"),
    "/body-drip": drips(_OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "/header-drip": drips(_OK, b"X-Drip: 1\r\n"),
    "/silent": silence,
    "/closed": says(),
    "/reset": reset,
    "/infinite-body": floods(_OK + b"\r\n", b"x" * 65536),
    # Less than a body may have, so that time alone ends it on the fastest machine as well.
    "/chunk-dust": falls_silent(_CHUNKED, b"1\r\nx\r\n" * 500_000),
    "/infinite-headers": floods(_OK, b"X-Flood: 1\r\n" * 5000),
    "/infinite-header": floods(_OK + b"X-Flood: ", b"x" * 65536),
    "/infinite-chunk-header": floods(_CHUNKED + b"1;", b"x" * 65536),
    "/infinite-trailers": floods(_CHUNKED + b"0\r\n", b"X-Flood: 1\r\n" * 5000),
    "/continue-flood": floods(b"", _CONTINUE * 2000),
    "/continues": says(_CONTINUE * 50, _OK + b"Content-Length: 1\r\n\r\n1"),
    "/gzip-bomb": page(_BOMB, b"Content-Encoding: gzip"),
    "/gzip": page(gzip.compress(b"1"), b"Content-Encoding: gzip"),
    "/redirect-loop": redirect(b"/redirect-loop"),
    "/short-body": says(_OK + b"Content-Length: 100\r\n\r\nshort"),
    "/bad-chunk": says(_CHUNKED + b"zz\r\nshort\r\n"),
    "/bad-length": says(_OK + b"Content-Length: -1\r\n\r\n"),
    "/not-http": says(b"220 mail.test ESMTP\r\n"),
    "/switching": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "/500": page(b"1", status=b"500 Internal Server Error"),
    "/404": page(b"1", status=b"404 Not Found"),
    "/999": page(b"1", status=b"999 Odd"),
}
