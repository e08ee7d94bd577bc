"""Copying a part of a Data.fs to a piece, which is checked and summed up on the way."""

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report

from .disk import Disk
from .manifest import Piece
from .pieces import Sums, bytes_between
from .stream_check import BrokenStructureError, StreamCheck

STAGE = "copying the Data.fs"
GZIP = 31  # zlib's number for a gzip header and trailer
SYNC_EVERY = 1 << 27


@dataclass(frozen=True)
class Span:
    """Bytes of an open Data.fs, from the end of the transaction `tid` to that of another."""

    descriptor: int
    path: Path
    start: int
    end: int
    tid: int


class Copier:
    """Copies spans to new files."""

    def __init__(self, disk: Disk, report: Report, pool: ThreadPoolExecutor) -> None:
        self._disk = disk
        self._report = report
        self._pool = pool

    def copy(self, span: Span, target: Path, name: str, spacing: int) -> tuple[Piece, StreamCheck]:
        """Copy a span, compressed if the name says so; return the piece and what was counted.

        The copy is on the disk when this returns. Raises ActionError and OSError.
        """
        piece = Piece(name, span.start, span.end, "")
        structure = StreamCheck(span.start, span.tid, spacing)
        descriptor = self._disk.create(target)
        try:
            of_file, of_content = self._copy(span, descriptor, structure, piece.gzip)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        sha256 = of_file.digest("sha256")
        md5, content = of_content.digest("md5"), of_content.digest("sha256")
        known = replace(piece, md5=md5, size=of_file.size, sha256=sha256, content=content)
        return known, structure

    def _copy(
        self, span: Span, descriptor: int, structure: StreamCheck, gzip: bool
    ) -> tuple[Sums, Sums]:
        content = Sums(self._pool)
        packed = Sums(self._pool, with_md5=False) if gzip else content
        synced = 0
        writing: Future[None] = self._pool.submit(lambda: None)
        try:
            for data in _deflated(self._fed(span, content, structure), gzip):
                if gzip:
                    packed.update(data)
                # Written while the next bytes are read and followed.
                writing.result()
                writing = self._pool.submit(self._write, descriptor, data)
                # A little at a time, or the commits of the site would wait for all of it.
                if content.size - synced >= SYNC_EVERY:
                    writing.result()
                    self._disk.sync(descriptor)
                    synced = content.size
            structure.check_end(span.end)
        except BrokenStructureError as error:
            raise _damaged(span, str(error)) from error
        finally:
            wait([writing])  # before the descriptor is closed
        writing.result()
        return packed, content

    def _write(self, descriptor: int, data: bytes) -> None:
        self._disk.write(descriptor, data)
        # Nobody reads it soon. Left in memory it would drive out what the site reads, and writing
        # would wait, twice as long in all where memory is short, until room was made for it.
        self._disk.let_go(descriptor)

    def _fed(self, span: Span, content: Sums, structure: StreamCheck) -> Iterator[bytes]:
        for data in bytes_between(partial(_read, span), span.start, span.end, self._report):
            content.update(data)
            structure.feed(data)
            yield data


def _read(span: Span, size: int, position: int) -> bytes:
    try:
        data = os.pread(span.descriptor, size, position)
    except OSError as error:
        raise _damaged(span, f"byte {position}: {error.strerror}") from error
    if not data:
        raise _damaged(span, f"byte {position}: the file ends, which was longer")
    return data


def _deflated(chunks: Iterator[bytes], gzip: bool) -> Iterator[bytes]:
    if not gzip:
        yield from chunks
        return
    deflate = zlib.compressobj(wbits=GZIP)
    for data in chunks:
        yield deflate.compress(data)
    yield deflate.flush()


def _damaged(span: Span, what: str) -> ActionError:
    return ActionError(
        STAGE,
        f"{span.path} is damaged at {what}",
        "copy it and check the copy with `python -m ZODB.scripts.fstest`; older backups are kept",
    )
