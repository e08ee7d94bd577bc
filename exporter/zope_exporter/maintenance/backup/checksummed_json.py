"""Small JSON files that tell when any of their bytes was changed."""

import json
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from .beneath import read_small

LARGEST = 1 << 26
_in_one_line = json.JSONEncoder(sort_keys=True).encode
_compact = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class ChecksumError(Exception):
    """A file is not as it was written: names it, and what is wrong with it."""


def checksummed(contents: dict[str, Any]) -> bytes:
    """Return the bytes of a file with these contents; the same contents give the same bytes."""
    return _encoded(contents, indent=None)


def read_checksummed(path: Path) -> dict[str, Any]:
    """Return the contents. Raises ChecksumError, or OSError if the file cannot be read."""
    data = read_small(path, LARGEST)
    try:
        contents = json.loads(data)["contents"]
        # Every byte is as we write it: in one line, or as earlier versions did.
        indent = 1 if data[1:2] == b"\n" else None
        intact = data == _encoded(contents, indent)
    except (ValueError, TypeError, KeyError, RecursionError):
        intact = False
    if not intact:
        raise ChecksumError(f"{path.name} was changed, or cut off, after it was written")
    if not isinstance(contents, dict):
        raise ChecksumError(f"{path.name} is of another kind")
    return contents


def _encoded(contents: Any, indent: int | None) -> bytes:
    """Return a whole file. In one line it is made, and checked, five times as fast."""
    digest = sha256(_compact(contents).encode()).hexdigest()
    whole = {"contents": contents, "sha256": digest}
    encode = _in_one_line if indent is None else partial(json.dumps, indent=indent, sort_keys=True)
    return encode(whole).encode() + b"\n"
