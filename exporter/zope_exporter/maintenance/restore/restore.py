"""Restoring a Data.fs and its blobs to a new place, or over those of a stopped site.

All is written and proven under names of its own first. Then the blobs of before are kept by hard
links, those of the backup are added to them, and one rename exchanges the Data.fs. At every moment
the Data.fs that is there, the old or the new one, is whole and finds all its blobs; a run that was
cut off is made good by running it again.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from zope_exporter.maintenance.backup.integrity import Judgement, judge
from zope_exporter.maintenance.jobs.report import (
    ActionError,
    InterruptedActionError,
    RefusedError,
    Report,
)
from zope_exporter.maintenance.room import Need, check_room
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.system.fsync import sync_directory, sync_file
from zope_exporter.system.humanize import few, size

from .blob_directory import remove_unfinished
from .blob_exchange import BlobExchange, BlobPlan, plan_blobs
from .exclusive_access import exclusive_access
from .files import has_links, is_there, link_or_copy
from .place import Outcome, Place, check_place
from .source import Source

STAGE, VERIFICATION = "restore", "verification"
ACCEPT = "--accept-missing-blobs"
SHOWN = 100


def restore(
    source: Source, place: Place, report: Report, accept_missing_blobs: bool = False
) -> None:
    """Restore; the caller has made sure that nobody uses the place.

    What the database lacked when it was backed up is said, and restored around; what the backup
    has lost since only if that is accepted. Raises RefusedError when nothing was touched,
    InterruptedActionError, and ActionError; they say which Data.fs is there.
    """
    report.stage("preconditions")
    with _told(outcome := Outcome(place)):
        outcome.look()
        plan = _preconditions(source, place, report)
        with exclusive_access(place.data_fs):
            source.verify(report)
            bad = source.bad_blobs(report) if plan else {}
            if not accept_missing_blobs:
                check_blobs(source, bad, report)
            place.clean()
            if place.blob_dir is not None:
                remove_unfinished(place.blob_dir)
            _Restore(source, place, plan, report, outcome).run(bad, accept_missing_blobs)


def rehearse(
    source: Source, place: Place, report: Report, accept_missing_blobs: bool = False
) -> None:
    """Do all the checks that a restore does before it writes, and say what it would do.

    Writes nothing, not even ZODB's lock, so that the site may go on meanwhile. Raises as it does.
    """
    report.stage("preconditions")
    with _told(outcome := Outcome(place)):
        outcome.look()
        plan = _preconditions(source, place, report, rehearsal=True)
        source.verify(report)
        bad = source.bad_blobs(report) if plan else {}
        if not accept_missing_blobs:
            check_blobs(source, bad, report)
    blobs = f" and {len(plan.sizes) - len(bad)} blobs" if plan else ""
    report.say(f"{source.name} would be restored to {place.data_fs}: {size(source.size)}{blobs}")
    if is_there(place.data_fs):
        report.say(f"the Data.fs of before would be kept as {place.kept}")
        report.say("whether it has hard links was not tried: without, the old files are copied")
    report.say("nothing was written")


@contextmanager
def _told(outcome: Outcome) -> Iterator[None]:
    """Add to every error which Data.fs is there."""
    try:
        yield
    except RefusedError:
        raise
    except OSError as error:
        reason = f"{error.filename or outcome.data_fs}: {error.strerror}"
        raise ActionError(STAGE, reason, outcome.tell()) from error
    except ActionError as error:
        kind = InterruptedActionError if isinstance(error, InterruptedActionError) else ActionError
        remedy = "; ".join(filter(None, (error.remedy, outcome.tell())))
        raise kind(error.stage, error.reason, remedy) from error


def _preconditions(
    source: Source, place: Place, report: Report, rehearsal: bool = False
) -> BlobPlan | None:
    """Check all that can be known; in a rehearsal nothing is tried that would have to be undone."""
    check_place(place, report)
    needs = []
    if not rehearsal and is_there(place.data_fs) and not has_links(place.data_fs, place.written):
        needs.append(Need(place.data_fs.parent, [place.data_fs.stat().st_size]))
    plan = planned_blobs(source, place, () if rehearsal else place.kept_blobs)
    check_room([*needs, *written(source, place, plan)])
    return plan


def planned_blobs(source: Source, place: Place, kept: Sequence[Path]) -> BlobPlan | None:
    """Look at the blobs of both, None if one has none; `kept` as the places of `plan_blobs`."""
    if place.blob_dir is None or source.blobs is None:
        return None
    return plan_blobs(source, place.blob_dir, kept)


def written(source: Source, place: Place, plan: BlobPlan | None) -> Iterator[Need]:
    """Tell what a restore writes where, but for what it keeps of the Data.fs of before."""
    yield Need(place.data_fs.parent, [source.size + place.headroom])
    if plan is not None:
        yield from plan.needs()


class _Restore:
    """One restore, once all that could be known before is known."""

    def __init__(
        self, source: Source, place: Place, plan: BlobPlan | None, report: Report, outcome: Outcome
    ) -> None:
        self._source = source
        self._place = place
        self._plan = plan
        self._report = report
        self._outcome = outcome

    def run(self, bad: Mapping[str, str], accept: bool) -> None:
        written, exchange = self._place.written, None
        try:
            self._write()
            judged = self._judge(written, bad)
            if self._place.blob_dir is not None and not accept:
                check_any(self._source, judged, self._place.blob_dir)
            if self._plan is not None:
                exchange = BlobExchange(self._plan, written.stat(), self._report)
                exchange.keep()
                exchange.add(bad)
            self._exchange()
        except BaseException:
            self._undo(exchange)
            raise
        if exchange is not None:
            stay = [path for paths in judged.only_site for path in paths]
            exchange.finish(bad, stay)
        self._tell(judged, bad)

    def _write(self) -> None:
        place, written = self._place, self._place.written
        self._source.write(written, self._report)
        is_over = is_there(place.data_fs)
        owner = (place.data_fs if is_over else place.data_fs.parent).stat()
        if os.geteuid() == 0:
            os.chown(written, owner.st_uid, owner.st_gid)
        if is_over:
            written.chmod(owner.st_mode & 0o7777)
        sync_file(written)
        self._outcome.note_written()

    def _judge(self, written: Path, bad: Mapping[str, str]) -> Judgement:
        faithful = self._source.faithful
        sizes = self._plan.sizes if self._plan else self._source.sizes()
        try:
            return judge(
                written, sizes.keys() - bad.keys(), self._place.blob_dir, faithful, self._report
            )
        except FileStorageError as error:
            raise ActionError(VERIFICATION, str(error)) from error

    def _exchange(self) -> None:
        place, report = self._place, self._report
        report.check()
        report.stage("exchanging the Data.fs")
        # Neither this one, which is of another file, nor a backup's, whose pickle would be run.
        place.beside(".index").unlink(missing_ok=True)
        if is_there(place.data_fs):
            link_or_copy(place.data_fs, place.kept)
        place.written.rename(place.data_fs)
        sync_directory(place.data_fs.parent)

    def _undo(self, exchange: BlobExchange | None) -> None:
        """Leave all as it was before, but for what cannot be; the error is told, and what is left.

        Once the Data.fs is exchanged, and while that cannot be known, its blobs have to stay.
        """
        try:
            if self._outcome.is_exchanged():
                return
        except OSError:
            return
        for path in (self._place.kept, self._place.written):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if exchange is not None:
            self._outcome.left += exchange.undo()

    def _tell(self, judged: Judgement, bad: Mapping[str, str]) -> None:
        place, say = self._place, self._report.say
        if place.blob_dir is not None or self._source.blobs is not None:
            for line in losses(self._source, place.blob_dir, judged, bad):
                say(line)
        if place.blob_dir is None:
            for line in left_out(self._source, judged):
                say(line)
        if place.beside(".old").exists():
            say(
                f"{place.beside('.old')} is of the Data.fs of before: move it away, or no pack is"
                " made while it has later transactions"
            )
        say(self._outcome.tell())


def check_blobs(source: Source, bad: Mapping[str, str], report: Report) -> None:
    """Raise ActionError if the backup itself has lost blobs or had them damaged."""
    if bad:
        raise ActionError(
            VERIFICATION,
            f"{len(bad)} blobs that the Data.fs needs are missing or damaged in {source.name}:"
            f" {few((f'{path}: {reason}' for path, reason in bad.items()), '; ')}",
            f"{source.instead(report)}; {ACCEPT} restores all but these",
        )


def check_any(source: Source, judged: Judgement, blob_dir: Path) -> None:
    """Raise ActionError if nobody has any of the blobs: they were looked for in a wrong place."""
    needed, missing = judged.found.blobs, judged.nowhere
    if source.listed or not missing or len(missing) < needed:
        return
    where = f"in {source.blobs} nor in {blob_dir}" if source.blobs else f"in {blob_dir}"
    raise ActionError(
        VERIFICATION,
        f"all {needed} blobs that the Data.fs needs are missing, such as {missing[0][0]}: none is"
        f" {where}",
        "give those of the backup with --blobs; without --blob-dir the Data.fs alone is restored,"
        f" with {ACCEPT} to here without any blob",
    )


def losses(
    source: Source, blob_dir: Path | None, judged: Judgement, bad: Mapping[str, str]
) -> Iterator[str]:
    """Say what the restored database lacks."""
    yield from _some([f"left out: the blob {path}: {reason}" for path, reason in bad.items()])
    why = (
        "the database lacked it when it was backed up"
        if source.listed
        else f"it is not in {source.blobs or blob_dir}"
    )
    missing = [_lawn(paths) for paths in judged.nowhere if bad.keys().isdisjoint(paths)]
    yield from _some([f"missing: the blob {blob}: {why}" for blob in missing])
    yield from _some(
        [
            f"missing: object {target:#x}, to which object {origin:#x} refers: the database did not"
            " have it"
            for origin, target in judged.found.dangling
        ]
    )


def left_out(source: Source, judged: Judgement) -> Iterator[str]:
    """Say that blobs were left out since no directory was given for them."""
    count = judged.found.blobs
    if count:
        where = f"they are in {source.blobs}" if source.blobs else "the backup has none of them"
        how = "give --blob-dir DIRECTORY" if source.blobs else "give --blobs and --blob-dir"
        yield (
            f"only the Data.fs was restored: the {count} blobs that its objects have were left out;"
            f" {where}, and to restore them as well {how}"
        )


def _lawn(paths: tuple[str, str]) -> str:
    return f"{paths[0]} of object {paths[1].partition('/')[0]}"


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN} more like that one"
