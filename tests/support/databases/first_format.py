"""Manifests as the first versions wrote them: each repeats the pieces and marks of its chain."""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from zope_exporter.maintenance.backup.repository import read_repository


def write_first_format(repository: Path) -> None:
    """Write the manifests of a repository anew, in the format of before."""
    for backup in read_repository(repository).backups:
        manifest = backup.manifest
        assert manifest
        contents = asdict(manifest) | {
            "format": 1,
            "marks": [asdict(mark) for mark in manifest.fingerprint],
        }
        del contents["inherited"], contents["earlier"], contents["earlier_lists"]
        compact = json.dumps(contents, sort_keys=True, separators=(",", ":")).encode()
        whole = {"contents": contents, "sha256": sha256(compact).hexdigest()}
        text = json.dumps(whole, indent=1, sort_keys=True) + "\n"
        (repository / f"{manifest.stamp}.manifest").write_text(text)
