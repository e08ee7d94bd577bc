"""System calls that the kernel refuses, as the filter of a unit or of a container has it do."""

import ctypes
import errno
import platform
import struct

from tests.support.programs.cache import UnavailableError

NUMBERS = {
    "x86_64": {
        "getpriority": 140,
        "setpriority": 141,
        "sched_setaffinity": 203,
        "sched_getaffinity": 204,
    },
    "aarch64": {
        "getpriority": 141,
        "setpriority": 140,
        "sched_setaffinity": 122,
        "sched_getaffinity": 123,
    },
}

# Of linux/prctl.h, linux/seccomp.h and linux/filter.h.
_SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER_MODE = 22, 38, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse(*calls: str) -> None:
    """Have these calls end with EPERM for this thread and what it begins; there is no way back."""
    numbers = NUMBERS.get(platform.machine())
    if numbers is None:
        raise UnavailableError(
            f"the numbers of system calls are not known for {platform.machine()}"
        )
    refused = [
        instruction
        for call in calls
        for instruction in (
            _instruction(_JUMP_IF_EQUAL, numbers[call], otherwise=1),
            _instruction(_RETURN, _ERRNO | errno.EPERM),
        )
    ]
    instructions = b"".join([_instruction(_LOAD, 0), *refused, _instruction(_RETURN, _ALLOW)])
    program = _Program(len(instructions) // 8, instructions)
    _prctl(_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(program))


def _instruction(code: int, value: int, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, 0, otherwise, value)


def _prctl(option: int, first: int, second: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(first), second, 0, 0):
        raise UnavailableError(f"prctl({option}): errno {ctypes.get_errno()}")
