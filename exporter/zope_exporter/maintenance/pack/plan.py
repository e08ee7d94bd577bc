"""What a pack would do to a database, said without doing it."""

from collections.abc import Iterator
from contextlib import suppress

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.plan import Answer, moment
from zope_exporter.storage.filestorage.datafile import FileStorageError, status
from zope_exporter.storage.filestorage.format import time_of
from zope_exporter.system.humanize import size

from .preconditions import PackRoom, first_tid, room_for
from .target import Garbage, PackEngine, PackSettings

DAY = 86400.0


def about_pack(
    storage: Storage | None, engine: PackEngine | None, settings: PackSettings, now: float
) -> Iterator[Answer]:
    """Yield what a pack of a database is known to do; `engine` is None where nobody can pack it."""
    yield _by(engine)
    yield _frees(storage, settings)
    yield _undo(storage, settings, now)
    yield _room(storage, settings)
    meanwhile = engine.meanwhile if engine else None
    yield Answer("meanwhile", meanwhile or "unknown: nobody can pack it", {"site": meanwhile})


def _by(engine: PackEngine | None) -> Answer:
    name = engine.name if engine else None
    text = f"it would be packed through {name}" if name else "nobody can pack it"
    return Answer("way", text, {"engine": name})


def _frees(storage: Storage | None, settings: PackSettings) -> Answer:
    garbage, used = settings.garbage, None
    if storage is not None:
        with suppress(FileStorageError):
            used = status(storage.data_fs).st_size
    facts = {
        "data_bytes": used,
        "at_most": settings.days > 0,
        "history_bytes": garbage and garbage.history,
        "unreachable_bytes": garbage and garbage.unreachable,
    }
    return Answer("frees", freed_text(garbage, used, settings.days), facts)


def freed_text(garbage: Garbage | None, used: float | None, days: float) -> str:
    """Say what a pack that keeps so many days of history frees of a Data.fs, `used` its bytes."""
    if garbage is None:
        return "what it would free is not known: no exporter has counted this Data.fs yet"
    of = f" of {size(used)}" if used is not None else ""
    most, less = ("up to ", ", less what the history that is kept takes") if days else ("", "")
    if garbage.unreachable is None:
        return (
            f"it would free {most}{size(garbage.history)}{of} as old revisions{less}; how much it"
            f" frees of unreachable objects is not known: {garbage.unknown}"
        )
    return (
        f"it would free {most}{size(garbage.total)}{of}: {size(garbage.history)} old revisions and"
        f" {size(garbage.unreachable)} unreachable objects{less}"
    )


def _undo(storage: Storage | None, settings: PackSettings, now: float) -> Answer:
    before, garbage = now - settings.days * DAY, settings.garbage
    packed = _time(garbage.packed) if garbage else None
    first = _first(storage)
    text = (
        f"what was replaced or deleted before {moment(before)} would go: nothing done before that"
        " can be undone any more, nor can the pack"
    )
    lost = True if garbage and first is not None else None
    if packed is not None and packed >= before:
        lost = False
        text = f"no undo is lost: the last pack went up to {moment(packed)}, and kept less history"
    elif first is not None and first >= before:
        lost = False
        text = f"no undo is lost: all is later than {moment(before)}"
    elif packed is not None:
        text += f"; the last pack has taken what was done until {moment(packed)}"
    return Answer(
        "undo", text, {"lost": lost, "lost_before": moment(before), "packed_until": moment(packed)}
    )


def _first(storage: Storage | None) -> float | None:
    with suppress(FileStorageError):
        return _time(first_tid(storage.data_fs)) if storage else None
    return None


def _time(tid: int | None) -> float | None:
    return time_of(tid.to_bytes(8, "big")) if tid else None


def _room(storage: Storage | None, settings: PackSettings) -> Answer:
    try:
        found = room_for(storage.data_fs, settings) if storage else None
    except FileStorageError as error:
        return _unknown_room(str(error))
    if found is None:
        return _unknown_room("the Data.fs is not on this host")
    kept = (
        f"the file of before, {size(found.data)}, stays as Data.fs.old: what is freed can be used"
        " when that is deleted"
    )
    text = (
        f"{size(found.free)} are free now, {size(found.free + found.old)} once Data.fs.old is"
        f" deleted; up to {size(found.copy)} are written, so that at least {_left(found)} are free"
        f" meanwhile and afterwards; {kept}"
    )
    facts = {
        "free_before_bytes": found.free,
        "old_bytes": found.old,
        "written_bytes": found.copy,
        "free_after_bytes": found.left,
        "headroom_bytes": settings.headroom,
        "kept_as_old_bytes": found.data,
    }
    return Answer("room", text, facts)


def _left(found: PackRoom) -> str:
    return size(max(found.left, 0))


def _unknown_room(why: str) -> Answer:
    return Answer("room", f"unknown: {why}", {"free_before_bytes": None})
