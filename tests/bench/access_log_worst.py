"""What a mebibyte of the worst lines costs the access log's counter: time and memory.

Run as `python tests/bench/access_log_worst.py`, from anywhere.
"""

import resource
import sys
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.logs.access_logs import hostile_lines  # noqa: E402
from zope_exporter.logs.access.counter import AccessCounter  # noqa: E402

SIZE = 1 << 20
DATE = b"[22/Nov/2026:10:37:52 +0000]"
START = DATE + b' "'
OWN = '%t "%r" %s %D "%{Referer}i"'

# By name: what is repeated until a mebibyte is full, before it in each line, and after it.
WORST = {
    "empty lines": (b"\n", b"", b""),
    "pairs of quotes": (b'""\n', b"", b""),
    "shortest requests": (START + b'" 200 -\n', b"", b""),
    "unknown methods": (START + b'BREW / HTTP/1.1" 418 17\n', b"", b""),
    "quotes in queries": (START + b'GET /?a="b" HTTP/1.1" 200 17\n', b"", b""),
    "blanks": (b" ", b"", b""),
    "NUL": (b"\0", b"", b""),
    "quotes": (b'"', START, b""),
    "backslashes": (b"\\", START, b'" 200 17'),
    "escaped ends": (b'\\" 200 1 ', START, b""),
    "dates": (START, b"", b""),
    "starts of dates": (b"[11/", b"", b'""'),
    "digits": (b"1", START + b'GET /" 200 ', b"x"),
    "escaped bytes": (b"\\x16\\x03", START, b'" 400 17 1 "-"'),
}


def main() -> None:
    write = sys.stdout.write
    row = "{:<20}{:>12}{:>16}{:>12}\n"
    write(row.format("1 MiB of", "lines", "default: ms", "LogFormat: ms"))
    blocks = {name: fill(*parts) for name, parts in WORST.items()}
    usual = b"".join(line + b"\n" for line in islice(hostile_lines(1), 7000))[:SIZE]
    blocks["2 % hostile lines"] = usual[: usual.rindex(b"\n") + 1]
    for name, block in blocks.items():
        times = [f"{measure(form, block) * 1000:.1f}" for form in (None, OWN)]
        write(row.format(name, block.count(b"\n"), *times))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"peak RSS, with this benchmark's own blocks: {peak:.0f} MiB\n")


def fill(repeated: bytes, before: bytes, after: bytes) -> bytes:
    room = SIZE - len(before) - len(after) - 1
    return before + repeated * (room // len(repeated)) + after + b"\n"


def measure(form: str | None, block: bytes) -> float:
    counter = AccessCounter(form)
    counter.feed(block)
    started = time.process_time()
    counter.feed(block)
    return time.process_time() - started


if __name__ == "__main__":
    main()
