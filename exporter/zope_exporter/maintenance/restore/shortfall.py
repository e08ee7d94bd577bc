"""What a restored database lacks, said object by object; and what is too little to go on with."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zope_exporter.maintenance.backup.judgement import Judgement
from zope_exporter.maintenance.jobs.report import ActionError, Report

from .source import Source

STAGE = "verification"
ACCEPT = "--accept-missing-blobs"
SHOWN = 100


def check_blobs(source: Source, bad: Mapping[str, str], report: Report) -> None:
    """Raise ActionError if the backup itself has lost blobs or had them damaged."""
    if bad:
        raise ActionError(
            STAGE,
            f"{len(bad)} blobs that the Data.fs needs are missing or damaged in {source.name}:"
            f" {_and_more([f'{path}: {reason}' for path, reason in bad.items()])}",
            f"{source.instead(report)}; {ACCEPT} restores all but these",
        )


def check_any(source: Source, judged: Judgement, blob_dir: Path) -> None:
    """Raise ActionError if nobody has any of the blobs: they were looked for in a wrong place."""
    needed, missing = judged.found.blobs, judged.nowhere
    if source.listed or not missing or len(missing) < needed:
        return
    where = f"in {source.blobs} nor in {blob_dir}" if source.blobs else f"in {blob_dir}"
    raise ActionError(
        STAGE,
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


def _and_more(texts: Sequence[str]) -> str:
    few = "; ".join(texts[:5])
    return f"{few}; and {len(texts) - 5} more" if len(texts) > 5 else few
