"""What others make of the lines of a log on its way to a file."""

import json
import random
from collections.abc import Callable

TIME = b"2026-11-22T10:37:51.123456789Z"
Wrap = Callable[[bytes], bytes]


def in_docker(longest: int) -> Wrap:
    """Docker's json-file driver, which splits lines longer than this; it takes 16 KiB."""

    def entry(part: bytes) -> bytes:
        fields = {"log": part.decode("latin-1"), "stream": "stderr", "time": TIME.decode()}
        return json.dumps(fields).encode() + b"\n"

    return lambda log: b"".join(map(entry, parts(log, longest)))


def in_cri(longest: int) -> Wrap:
    """The files of containerd and CRI-O, as Kubernetes keeps them."""

    def entry(part: bytes) -> bytes:
        tag = b"F" if part.endswith(b"\n") else b"P"
        return TIME + b" stderr " + tag + b" " + part.rstrip(b"\n") + b"\n"

    return lambda log: b"".join(map(entry, parts(log, longest)))


def parts(log: bytes, longest: int) -> list[bytes]:
    return [
        line[begin : begin + longest]
        for line in log.splitlines(keepends=True)
        for begin in range(0, len(line), longest)
    ]


def behind(prefix: bytes) -> Wrap:
    def wrap(log: bytes) -> bytes:
        return b"".join(prefix + line for line in log.splitlines(keepends=True))

    return wrap


def coloured(log: bytes) -> bytes:
    """As colorlog and coloredlogs do it, around the level and what follows it."""
    log = log.replace(b"ERROR", b"\x1b[31mERROR\x1b[0m").replace(b"INFO", b"\x1b[1;32mINFO\x1b[0m")
    return log.replace(b'"GET', b'\x1b[36m"GET').replace(b" 200 ", b" \x1b[32m200\x1b[39m ")


def after(first: Wrap, second: Wrap) -> Wrap:
    return lambda log: second(first(log))


def wraps(longest: int) -> dict[str, Wrap]:
    """All ways, those of containers with parts of lines of this length."""
    return {
        "docker": in_docker(longest),
        "cri": in_cri(longest),
        "compose": behind(b"backend-1  | "),
        "docker logs --timestamps": behind(TIME + b" "),
        "journalctl": behind(b"Nov 22 10:37:51 web1 runwsgi[4711]: "),
        "journalctl -o short-iso": behind(b"2026-11-22T10:37:51+0000 web1 runwsgi[4711]: "),
        "journalctl -o short-full": behind(b"Sun 2026-11-22 10:37:51 UTC web1 runwsgi[4711]: "),
        "syslog": behind(b"Nov  2 10:37:51 web1.example.com zope: "),
        "rsyslog": behind(b"2026-11-22T10:37:51.123456+01:00 web1 zope[1]: "),
        "colours": coloured,
        "container in the journal": after(in_docker(longest), behind(b"Nov 22 10:37:51 a d[7]: ")),
        "colours in a container": after(coloured, in_cri(longest)),
    }


WRAPS = wraps(60)
WHOLE_LINES = wraps(16384)


def cut(log: bytes, chance: random.Random, first: int = 10) -> list[bytes]:
    """Blocks of whole lines; the first has enough of them to tell what is around them."""
    lines = log.splitlines(keepends=True)
    blocks = [b"".join(lines[:first])]
    for line in lines[first:]:
        if chance.random() < 0.7:
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks
