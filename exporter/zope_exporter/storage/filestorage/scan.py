"""One pass over a whole Data.fs in small steps, which can be taken up again after a restart."""

import json
from array import array
from collections.abc import Iterator, Mapping

import numpy as np

from zope_exporter.system.open_files import Identity

from .contents import Contents
from .current_records import Columns, CurrentRecords
from .datafile import FileStorageError
from .format import FIRST_TRANSACTION
from .full_count import FullCount, indexed
from .reader import DataFile

_PLACE = ("position", "tid", "start", "packed")


class Scan:
    """Counts all (`full_count`), then reads the current records (`contents`, None till then)."""

    def __init__(self, identity: Identity, size: int) -> None:
        self.identity = identity
        self.full_count = FullCount()
        self.contents: Contents | None = None
        self._size = size

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self.contents is None:
            return 0.5 * min(1.0, self.full_count.position / max(self._size, 1))
        return 0.5 + 0.5 * self.contents.done / max(self.contents.total, 1)

    def steps(self, file: DataFile) -> Iterator[None]:
        if self.contents is None:
            if self.full_count.position == FIRST_TRANSACTION:
                yield from self._count_indexed(file)
            yield from self.full_count.steps(file)
            self.contents = Contents(self.full_count.columns, self.full_count.overheads)
        yield
        yield from self.contents.steps(file)

    def _count_indexed(self, file: DataFile) -> Iterator[None]:
        try:
            index = file.path.with_name(file.path.name + ".index")
            self.full_count = yield from indexed(file, index)
        except FileStorageError:
            # The walk from the first transaction on needs no index, and tells what is damaged.
            return

    def parts(self) -> dict[str, bytes]:
        """Return all that `restored` needs."""
        full_count = self.full_count
        full_count.current.merge()
        place = {name: getattr(full_count, name) for name in _PLACE}
        parts = {
            "place": json.dumps(place | {"identity": self.identity}).encode(),
            "starts": full_count.starts.tobytes(),
            "overheads": full_count.overheads.tobytes(),
        }
        parts |= {name: column.tobytes() for name, column in vars(full_count.columns).items()}
        if self.contents is not None:
            read = {"done": self.contents.done, "classes": self.contents.classes}
            parts["contents"] = json.dumps(read).encode()
            parts["sources"] = self.contents.references.sources.tobytes()
            parts["targets"] = self.contents.references.targets.tobytes()
        return parts


def restored(parts: Mapping[str, bytes], file: DataFile, identity: Identity) -> Scan | None:
    """Return the scan that was under way, None if it was of another file or is not understood."""
    scan = Scan(identity, file.size())
    try:
        place = json.loads(parts["place"])
        if tuple(place.pop("identity")) != identity or not place["start"]:
            return None
        if file.transaction(place["start"]).tid != place["tid"]:
            return None
        columns = Columns(
            np.frombuffer(parts["oids"], np.uint64),
            np.frombuffer(parts["data"], np.uint64),
            np.frombuffer(parts["sizes"], np.uint64),
            np.frombuffer(parts["transactions"], np.uint32),
        )
        starts, overheads = array("Q", parts["starts"]), array("I", parts["overheads"])
        scan.full_count = FullCount(
            **place, starts=starts, overheads=overheads, current=CurrentRecords(columns)
        )
        if "contents" in parts:
            scan.contents = contents = Contents(columns, overheads)
            read = json.loads(parts["contents"])
            contents.done = read["done"]
            contents.classes.update(read["classes"])
            contents.references.sources.frombytes(parts["sources"])
            contents.references.targets.frombytes(parts["targets"])
    except (ValueError, TypeError, KeyError, FileStorageError):
        return None
    return scan
