"""Repositories as versions before the pool made them: the blobs of each backup in a directory."""

import os
import shutil
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from zope_exporter.maintenance.backup.blob_lists import Blob, blobs_of
from zope_exporter.maintenance.backup.checksummed_json import checksummed
from zope_exporter.maintenance.backup.manifest import NOT_WRITTEN, BlobList, Manifest
from zope_exporter.maintenance.backup.repository import Backup, read_repository


def write_snapshots(repository: Path, blob_dir: Path, linked: bool = True) -> None:
    """Write the blobs of a repository anew, as hard links of those of the database or as copies."""
    pool = repository / "blobs"
    pool.rename(repository / "pool")
    made: dict[str, Path] = {}
    read = [(backup, blobs_of(backup) or {}) for backup in read_repository(repository).backups]
    for backup, blobs in read:
        for path, blob in blobs.items():
            place = pool / backup.stamp / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if path not in made:
                made[path] = blob_dir / path if linked else repository / "pool" / blob.place
            os.link(made[path], place)
        (pool / backup.stamp / ".layout").write_text("bushy")
        _list(backup, blobs)
    shutil.rmtree(repository / "pool")


def _list(backup: Backup, blobs: dict[str, Blob]) -> None:
    manifest = backup.manifest
    assert manifest
    data = (backup.repository / "blobs" / backup.stamp / ".layout").read_bytes()
    blobs = {".layout": Blob(sha256(data).hexdigest(), len(data), ".layout", ""), **blobs}
    listed = "".join(f"{each.sha256} {each.size} {path}\n" for path, each in sorted(blobs.items()))
    size = sum(each.size for each in blobs.values())
    told = BlobList(sha256(listed.encode()).hexdigest(), len(blobs), size)
    (backup.repository / f"{backup.stamp}.blobs").write_text(listed)
    _write(backup.repository, replace(manifest, blobs=told))


def _write(repository: Path, manifest: Manifest) -> None:
    contents = asdict(replace(manifest, pieces=manifest.own))
    assert manifest.blobs
    del contents["blobs"]["since"]
    written = {key: value for key, value in contents.items() if key not in NOT_WRITTEN}
    path = repository / f"{manifest.stamp}.manifest"
    path.write_bytes(checksummed({"format": 2, **written}))
