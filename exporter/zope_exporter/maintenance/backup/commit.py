"""Putting a finished backup in place, so that a crash at any moment leaves what can be restored.

`repozo -R` uses every piece whose name it sees, and `repozo -B -Q` goes on from the last line of
the `.dat`: were a crash between the two, it would save the same bytes twice. So a full piece
appears after its `.dat`, and an incremental one while the `.dat` ends with a guard. The manifest
comes last; without it a backup is not done.
"""

from pathlib import Path

from .chains import dat_text, read_dat
from .disk import Disk
from .manifest import SUFFIX, Manifest


def commit(disk: Disk, repository: Path, manifest: Manifest, piece: Path) -> None:
    """Move a copied piece, if there is one, to its name, and then say that it is there.

    The disk has its contents already. Raises OSError.
    """
    own = manifest.pieces[-1]
    dat = _dat(repository, manifest)
    if piece.exists():
        before = None if own.full else read_dat(dat)
        text = dat_text(manifest.pieces, before, guard=not own.full)
        disk.replace(dat, text.encode())
        disk.rename(piece, repository / own.name)
        disk.sync_directory(repository)
    correct_dat(disk, repository, manifest)
    disk.replace(repository / (manifest.stamp + SUFFIX), manifest.encoded())


def correct_dat(disk: Disk, repository: Path, manifest: Manifest) -> None:
    """Let the `.dat` say what the manifest says, and nothing of what was to come after it."""
    before = read_dat(_dat(repository, manifest))
    text = dat_text(manifest.pieces, before)
    if before is None or before.text != text:
        disk.replace(_dat(repository, manifest), text.encode())


def _dat(repository: Path, manifest: Manifest) -> Path:
    return repository / f"{manifest.pieces[0].stamp}.dat"
