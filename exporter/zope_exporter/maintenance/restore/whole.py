"""Looking for a backup that is whole, once one has turned out not to be."""

from collections.abc import Collection, Sequence

from zope_exporter.maintenance.backup.listing import Backup
from zope_exporter.maintenance.backup.manifest import Piece
from zope_exporter.maintenance.backup.pieces import DamagedPieceError, all_contents
from zope_exporter.maintenance.backup.snapshots import check_blobs
from zope_exporter.maintenance.jobs.report import ActionError, InterruptedActionError, Report


def newest_whole(backups: Collection[Backup], report: Report) -> Backup | None:
    """Return the newest of the backups of which every byte can be read, each being read once."""
    report.say("looking for another backup that is whole")
    read: dict[str, bool] = {}
    sums: dict[tuple[int, int], str] = {}
    for backup in sorted(backups, key=lambda each: each.stamp, reverse=True):
        if _has_all_pieces(backup.pieces, backup, read, report) and _has_all_blobs(
            backup, sums, report
        ):
            return backup
    return None


def _has_all_pieces(
    pieces: Sequence[Piece], backup: Backup, read: dict[str, bool], report: Report
) -> bool:
    for piece in pieces:
        if piece.name not in read:
            read[piece.name] = _is_whole(piece, backup, report)
        if not read[piece.name]:
            return False
    return True


def _is_whole(piece: Piece, backup: Backup, report: Report) -> bool:
    report.stage(f"reading {piece.name}", piece.end - piece.start)
    try:
        for data in all_contents(backup.repository, [piece]):
            report.check()
            report.advance(len(data))
    except DamagedPieceError:
        return False
    return True


def _has_all_blobs(backup: Backup, sums: dict[tuple[int, int], str], report: Report) -> bool:
    try:
        return not any(True for _ in check_blobs(backup, report, sums))
    except InterruptedActionError:
        raise
    except ActionError:
        return False
