"""One pass over a whole Data.fs in small steps, which can be taken up again after a restart.

First the full count, for which, where there is an index, only the transactions' headers and the
current records' headers are read; then the data of the current records.
"""

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import fields

import numpy as np

from zope_exporter.system.open_files import Identity
from zope_exporter.system.parts_file import Part

from .columns import Array, Column
from .contents import Contents
from .current_records import Columns, CurrentRecords
from .datafile import FileStorageError
from .format import FIRST_TRANSACTION
from .full_count import FullCount, indexed
from .reader import DataFile
from .scan_memory import NoRoomError, ScanMemory

_PLACE = ("position", "tid", "start", "packed")
_READ = ("done", "opaque", "classes")
_REFERENCES = ("ends", "targets", "unsure")


class Scan:
    """Counts all (`full_count`), then reads the current records (`contents`, None till then)."""

    def __init__(self, identity: Identity, size: int, memory: ScanMemory | None = None) -> None:
        self.identity = identity
        self.memory = memory or ScanMemory()
        self.full_count = FullCount(current=CurrentRecords(memory=self.memory))
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
            columns, overheads = self.full_count.columns, self.full_count.overheads
            self.contents = Contents(columns, overheads, self.memory)
        yield
        yield from self.contents.steps(file)

    def _count_indexed(self, file: DataFile) -> Iterator[None]:
        try:
            index = file.path.with_name(file.path.name + ".index")
            self.full_count = yield from indexed(file, index, self.memory)
        except NoRoomError:
            raise
        except FileStorageError:
            # The walk from the first transaction on needs no index, and tells what is damaged.
            return

    def parts(self) -> dict[str, Part]:
        """Return all that `restored` needs; it holds while the scan makes no step."""
        full_count, contents = self.full_count, self.contents
        full_count.current.merge()
        columns: dict[str, Array] = dict(vars(full_count.columns))
        texts: dict[str, object] = {}
        if contents is not None:
            columns |= {name: getattr(contents.references, name).values for name in _REFERENCES}
            texts["contents"] = {name: getattr(contents, name) for name in _READ}
        texts["place"] = {name: getattr(full_count, name) for name in _PLACE} | {
            "identity": self.identity,
            "types": {name: column.dtype.str for name, column in columns.items()},
        }
        return {
            **{name: json.dumps(text).encode() for name, text in texts.items()},
            **{name: column.view(np.uint8).data for name, column in columns.items()},
            "starts": full_count.starts.tobytes(),
            "overheads": full_count.overheads.tobytes(),
        }


def restored(
    parts: Mapping[str, Part], file: DataFile, identity: Identity, memory: ScanMemory | None = None
) -> Scan | None:
    """Return the scan that was under way, None if it was of another file or is not understood.

    It takes over the parts, and writes to them.
    """
    scan = Scan(identity, file.size(), memory)
    try:
        place = json.loads(bytes(parts["place"]))
        types = place.pop("types")
        if tuple(place.pop("identity")) != identity or not place["start"]:
            return None
        if file.transaction(place["start"]).tid != place["tid"]:
            return None
        arrays = {name: np.frombuffer(parts[name], dtype) for name, dtype in types.items()}
        columns = Columns(**{each.name: arrays[each.name] for each in fields(Columns)})
        starts, overheads = (
            array("Q", bytes(parts["starts"])),
            array("I", bytes(parts["overheads"])),
        )
        scan.full_count = FullCount(
            **place,
            starts=starts,
            overheads=overheads,
            current=CurrentRecords(columns, scan.memory),
        )
        if "contents" in parts:
            scan.contents = contents = Contents(columns, overheads, scan.memory)
            read = json.loads(bytes(parts["contents"]))
            contents.done, contents.opaque = read["done"], read["opaque"]
            contents.classes.update(read["classes"])
            for name in _REFERENCES:
                setattr(contents.references, name, Column(scan.memory, arrays[name]))
    except (ValueError, TypeError, KeyError, FileStorageError):
        return None
    return scan
