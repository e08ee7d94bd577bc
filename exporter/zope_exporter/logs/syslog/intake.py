"""Datagrams from a socket: as many as have come, and how many the kernel had to drop."""

import select
import socket
import struct

# From Linux' asm-generic/socket.h and linux/sock_diag.h; Python does not name them.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
_DROPS = 8

BATCH = 64
LONGEST = 64 * 1024


class Intake:
    """Reads a datagram socket; another thread can end the waiting for more."""

    def __init__(self, receiver: socket.socket, wake: int) -> None:
        self._receiver = receiver
        self._wake = wake
        self._buffer = bytearray(LONGEST)
        self._poll = select.poll()
        self._poll.register(receiver, select.POLLIN)
        self._poll.register(wake, select.POLLIN)
        self._drops = self._drops_so_far()

    def wait(self) -> bool:
        """Wait for datagrams; return False when woken up instead."""
        return all(descriptor != self._wake for descriptor, _ in self._poll.poll())

    def take(self) -> tuple[list[bytes], int]:
        """Return up to 64 datagrams and how many of them were cut at 64 KiB; never blocks."""
        datagrams: list[bytes] = []
        cut = 0
        while len(datagrams) < BATCH:
            try:
                size, _, flags, _ = self._receiver.recvmsg_into(
                    [self._buffer], 0, socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                break
            datagrams.append(bytes(memoryview(self._buffer)[:size]))
            cut += bool(flags & socket.MSG_TRUNC)
        return datagrams, cut

    def dropped(self) -> int:
        """Return how many datagrams the kernel has dropped since the last call."""
        before, self._drops = self._drops, self._drops_so_far()
        return (self._drops - before) % 2**32

    def _drops_so_far(self) -> int:
        memory = self._receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        drops: int = _MEMINFO.unpack(memory)[_DROPS]
        return drops
