"""Repositories with many small backups, written without a Data.fs to make them of."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from persistent.TimeStamp import TimeStamp

from zope_exporter.maintenance.backup.chains import dat_text
from zope_exporter.maintenance.backup.manifest import NOTHING, Mark, Piece
from zope_exporter.maintenance.backup.repository import described
from zope_exporter.maintenance.backup.stamps import stamp_of
from zope_exporter.maintenance.backup.verification_record import Level, Sealing, VerificationRecord

DATA = b"x" * 100
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
MARKS = tuple(Mark(place * 10, 10, SHA256) for place in range(12))


def make_repository(directory: Path, fulls: int, each: int, every: float = 3600.0) -> list[str]:
    """Make full backups, an hour after each other or as said, `each` with those after it counted.

    All are proven. Returns their stamps.
    """
    directory.mkdir(parents=True)
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    stamps: list[str] = []
    for _ in range(fulls):
        pieces: tuple[Piece, ...] = ()
        for number in range(each):
            stamp = stamp_of(moment)
            name = f"{stamp}.{'delta' if number else ''}fs"
            (directory / name).write_bytes(DATA)
            end = (number + 1) * len(DATA)
            own = Piece(name, end - len(DATA), end, MD5, len(DATA), SHA256, SHA256)
            pieces += (own,)
            _describe(directory, pieces, stamps[-1] if number else "", moment)
            stamps.append(stamp)
            moment += timedelta(seconds=every)
        (directory / f"{pieces[0].stamp}.dat").write_text(dat_text(pieces, None))
    return stamps


def _describe(directory: Path, pieces: tuple[Piece, ...], previous: str, moment: datetime) -> None:
    stamp = pieces[-1].stamp
    seconds = moment.timestamp()
    manifest = replace(
        NOTHING,
        stamp=stamp,
        site="intranet",
        database="main",
        made=seconds,
        pieces=pieces,
        previous=previous,
        tid=int.from_bytes(TimeStamp(*moment.timetuple()[:6]).raw(), "big"),
        marks=MARKS,
        inherited=len(pieces) - 1,
    )
    (directory / f"{stamp}.manifest").write_bytes(manifest.encoded())
    sealing = Sealing()
    for piece in pieces:
        seal = sealing.over(described(piece), (directory / piece.name).lstat().st_mtime_ns)
    record = VerificationRecord(stamp, Level.RESTORE, seconds, (), seal, 1, 1, 1, 0)
    (directory / f"{stamp}.verified").write_bytes(record.encoded())
