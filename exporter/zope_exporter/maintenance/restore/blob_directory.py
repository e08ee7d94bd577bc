"""Finding the blob directory in what collective.recipe.backup and others make of one.

It puts the blobs in `blobstorage.0/blobstorage`, or under a time with a link `latest`, or into an
archive.
"""

from pathlib import Path

from zope_exporter.maintenance.jobs.report import RefusedError

from .blob_layout import MARKER

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
LISTED = 5


def find_blobs(path: Path) -> Path:
    """Return the directory of blobs that is meant: itself, or the only one in it.

    Raises RefusedError `blobs`, and OSError.
    """
    if not path.is_dir():
        if path.name.endswith(ARCHIVES) and path.exists():
            reason = f"{path} is an archive: blobs in one are not supported"
            raise RefusedError("blobs", reason, "unpack it, and name the directory")
        raise RefusedError("blobs", f"{path} is no directory", "name that of the blobs")
    if _is_one(path):
        return path
    inside = sorted(each for each in path.iterdir() if not each.is_symlink())
    found = [each for each in inside if each.is_dir() and _is_one(each)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError("blobs", f"{path} has several directories of blobs", _one_of(found))
    raise _none(path, inside)


def _none(path: Path, inside: list[Path]) -> RefusedError:
    archives = [each for each in inside if each.name.endswith(ARCHIVES)]
    if archives:
        reason = f"{path} has blobs in an archive, {archives[-1].name}: that is not supported"
        return RefusedError("blobs", reason, "unpack it, and name the directory")
    deeper = [each for each in inside if each.is_dir() and any(map(_is_one, _directories(each)))]
    remedy = _one_of(deeper) if deeper else "name the directory whose entries begin with 0x"
    return RefusedError("blobs", f"{path} is not a directory of blobs", remedy)


def _one_of(paths: list[Path]) -> str:
    names = ", ".join(str(path) for path in paths[:LISTED])
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    return f"name one: {names}{more}"


def _directories(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if each.is_dir() and not each.is_symlink()]


def _is_one(path: Path) -> bool:
    return (path / MARKER).is_file() or any(path.glob("0x*"))
