"""Whether there is room for a backup, looked at before any of it is written."""

import shutil

from zope_exporter.maintenance.room import check_free, check_inodes, free_inodes

from .new_blobs import NewBlobs
from .repository import Repository

HEADROOM = 1 << 22
OWN_FILES = 8  # piece, manifest, list of blobs, proof, and those that become one of them
GZIP_RATIO = 0.5  # until there is a compressed piece to tell better


def check_room(listed: Repository, new_bytes: int, gzip: bool, blobs: NewBlobs | None) -> None:
    """Raise RefusedError `room` unless so much of the Data.fs, and the new blobs, can be added."""
    repository = listed.path
    where = f"on the file system of {repository}"
    inodes = OWN_FILES + (blobs.inodes if blobs else 0)
    check_inodes(inodes, free_inodes(repository), where)
    of_blobs = blobs.room if blobs else 0
    what, remedy = "the backup", "make room there"
    if blobs and of_blobs:
        what += " with its new blobs"
        if blobs.links_would_do:
            remedy += ", or set backup.hard_links if blobs may be the files of the database"
    free = shutil.disk_usage(repository).free
    of_data = _compressed(listed, new_bytes) if gzip else new_bytes
    check_free(what, of_data + of_blobs + HEADROOM, free, f"in {repository}", remedy)


def _compressed(listed: Repository, new_bytes: int) -> int:
    """Return what they become at most, as pieces of before did."""
    packed = [piece for each in listed.complete for piece in each.pieces if piece.gzip]
    known = sum(piece.end - piece.start for piece in packed)
    ratio = sum(piece.size for piece in packed) / known if known else GZIP_RATIO
    return int(new_bytes * min(ratio * 1.1, 1.0))
