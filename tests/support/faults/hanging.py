"""A file system that hangs, as NFS does whose server is gone."""

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs.cache import UnavailableError

MNT_DETACH = 2
INIT = 26
HEADER = struct.Struct("<IIQQIIII")
ANSWER = struct.Struct("<IiQ")
VERSION = 7, 31


@contextmanager
def hanging(directory: Path) -> Iterator[Callable[[], None]]:
    """Mount it there; whoever looks below `directory` waits until what this gives is called.

    It is a FUSE of which nobody answers any request but the first. Raises UnavailableError.
    """
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise UnavailableError(f"/dev/fuse: {error.strerror}") from error
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"hanging", os.fsencode(directory), b"fuse.hanging", 0, options):
        os.close(device)
        raise UnavailableError(f"mount of a FUSE: {os.strerror(ctypes.get_errno())}")
    ended = False

    def end() -> None:
        nonlocal ended
        if not ended:
            ended = True
            os.close(device)  # all that waits gets an error

    try:
        _answer_first(device)
        yield end
    finally:
        end()
        libc.umount2(os.fsencode(directory), MNT_DETACH)


def _answer_first(device: int) -> None:
    request = os.read(device, 1 << 17)
    _, operation, unique, *_ = HEADER.unpack_from(request)
    assert operation == INIT
    # No read-ahead and no features: 64 bytes, of which the kernel insists on few.
    answer = struct.pack("<IIIIHHII", *VERSION, 0, 0, 12, 9, 4096, 1).ljust(64, b"\0")
    os.write(device, ANSWER.pack(ANSWER.size + len(answer), 0, unique) + answer)
