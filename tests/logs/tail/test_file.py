import bz2
import gzip
import lzma
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from zope_exporter.logs.tail.file import first_timestamp, open_log
from zope_exporter.logs.tail.line_reader import LONGEST_LINE, LineReader, beginning

COMPRESSORS = [
    pytest.param(partial(gzip.compress, compresslevel=1), id="gzip"),
    pytest.param(partial(bz2.compress, compresslevel=1), id="bzip2"),
    pytest.param(partial(lzma.compress, preset=0), id="xz"),
]
Compress = Callable[[bytes], bytes]


def bytes_read() -> int:
    """What this process has read of files, also of those in the page cache."""
    (line,) = (
        each for each in Path("/proc/self/io").read_text().splitlines() if each.startswith("rchar")
    )
    return int(line.split()[1])


@pytest.fixture(scope="module")
def text() -> bytes:
    """20 MiB of lines that hardly let themselves be compressed."""
    numbers = range(20 * LONGEST_LINE // 110)
    return b"".join(b"%d %s\n" % (number, os.urandom(51).hex().encode()) for number in numbers)


@pytest.mark.parametrize("compress", COMPRESSORS)
@pytest.mark.parametrize("read_before", [0, 17])
def test_a_compressed_file_is_read_in_one_pass(
    tmp_path: Path, text: bytes, compress: Compress, read_before: int
) -> None:
    path, counter = tmp_path / "Z4.log", Lines()
    path.write_bytes(text)
    plain = open_log(path)
    reader = LineReader(plain, beginning(plain), 0)
    reader.read(counter, read_before * LONGEST_LINE)
    plain.close()
    path.write_bytes(compress(text))
    before = bytes_read()
    file = open_log(path)
    assert reader.position.holds(file)
    rest = LineReader(file, reader.position, 0)
    while rest.read(counter, 8 * LONGEST_LINE) <= 0:
        pass
    read = bytes_read() - before
    file.close()
    assert b"\n".join(counter.lines) + b"\n" == text
    assert read < path.stat().st_size * 1.1


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_any_part_in_any_order(tmp_path: Path, text: bytes, compress: Compress) -> None:
    path = tmp_path / "Z4.log.1"
    text = text[: 6 * LONGEST_LINE]
    path.write_bytes(compress(text))
    file = open_log(path)
    for offset in (0, 100, 5 * LONGEST_LINE, 4 * LONGEST_LINE + 7, 0, 3 * LONGEST_LINE, 10**9):
        for length in (1, 512, 2 * LONGEST_LINE):
            assert file.read(length, offset) == text[offset : offset + length]
    file.close()


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_what_is_not_whole_is_named(tmp_path: Path, text: bytes, compress: Compress) -> None:
    path = tmp_path / "Z4.log.1"
    path.write_bytes(compress(text[:LONGEST_LINE])[:400_000])
    file = open_log(path)
    with pytest.raises(OSError, match=f"{path} is not whole"):
        file.read(2 * LONGEST_LINE, 0)
    file.close()


def test_a_compressed_file_of_another_content_is_not_read_beyond_its_beginning(
    tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "Z4.log"
    path.write_bytes(text)
    plain = open_log(path)
    reader = LineReader(plain, beginning(plain), 0)
    reader.read(Lines(), 1 << 30)
    plain.close()
    path.write_bytes(gzip.compress(b"another\n" + text, 1))
    before = bytes_read()
    file = open_log(path)
    assert not reader.position.holds(file)
    file.close()
    assert bytes_read() - before < 100_000


LOCAL = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'127.0.0.1 - admin [31/Jan/2026:12:00:00 +0100] "GET / HTTP/1.1" 200 5', 1769857200),
        (b'::1, ::2 - "a [b" [31/Jan/2026:12:00:00 -0130] "GET / HTTP/1.1"', 1769866200),
        (b"2026-01-31 12:00:00 INFO [Zope:44][MainThread] Ready", LOCAL),
        (b"2026-01-31 12:00:00,123 INFO Zope Ready", LOCAL),
        (b"------\n2026-01-31T12:00:00 INFO(0) Zope Ready", LOCAL),
        (b"------\r\n2026-01-31T12:00:00 INFO(0) Zope Ready", LOCAL),
        (b"2026-01-31T12:00:00Z INFO Zope", 1769860800),
        (b"2026-01-31T12:00:00.5+01:00 INFO Zope", 1769857200),
        (b"2026-02-31 12:00:00 INFO Zope", None),
        (b'::1 - - [31/Foo/2026:12:00:00 +0100] "GET /', None),
        (b'::1 - - [31/Jan/2026:12:00:99 +0100] "GET /', None),
        (b"Traceback (most recent call last):\n2026-01-31 12:00:00 INFO", None),
        (b"\xff\x00" * 2000, None),
        (b"", None),
    ],
)
def test_first_timestamp(head: bytes, expected: float | None) -> None:
    assert first_timestamp(head) == expected
