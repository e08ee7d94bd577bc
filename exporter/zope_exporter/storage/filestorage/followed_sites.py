"""The Plone sites of one Data.fs: found by a scan, and carried on from commit to commit."""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .datafile import FileStorageError
from .format import RECORD_HEADER, Transaction
from .reader import DataFile
from .records import unpacked

if TYPE_CHECKING:
    from .current_records import Columns

PloneSites = Mapping[str, Mapping[str, str] | None]
"""By the path of each site, the versions of its profiles by name; None if they are not known."""

Place = tuple[int, int]
"""Where the data of a record begins, and how many bytes they are; 0 for none."""


@dataclass(frozen=True)
class FollowedSites:
    """The versions of each site's profiles, and the `places` of the records that tell them."""

    versions: PloneSites
    places: Mapping[int, Place]

    def depend_on(self, oids: Iterable[int]) -> bool:
        """Tell whether one of these objects was read for it."""
        return not self.places.keys().isdisjoint(oids)

    def after(self, file: DataFile, transaction: Transaction) -> "FollowedSites | None":
        """Return what a transaction has made of it, None if that cannot be told.

        What it refers to beyond its own objects is what was read before, as a rule.
        """
        places = dict(self.places)
        try:
            for oid, position, _, length, back in file.records(transaction):
                data, size = position + RECORD_HEADER.size, RECORD_HEADER.size + length
                data, size = (data, size) if length else file.resolve(oid, back)
                places[oid] = data, size - RECORD_HEADER.size
        except FileStorageError:
            return None
        return _found(file, lambda oid: places[oid])

    def kept(self) -> dict[str, Any]:
        """Return all that `restored` needs, in terms of JSON."""
        return {"versions": self.versions, "places": self.places}

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> "FollowedSites":
        """Return what was kept. Raises ValueError, TypeError, KeyError or AttributeError."""
        places = {int(oid): (int(at), int(size)) for oid, (at, size) in kept["places"].items()}
        return cls(dict(kept["versions"]), places)


def scanned_sites(file: DataFile, columns: "Columns") -> FollowedSites | None:
    """Return the sites in a file of which all current records are known, None if unreadable."""

    def place(oid: int) -> Place:
        row = int(columns.oids.searchsorted(oid))
        if row == len(columns.oids) or columns.oids[row] != oid:
            raise LookupError(oid)
        return int(columns.data[row]), int(columns.sizes[row]) - RECORD_HEADER.size

    return _found(file, place)


def _found(file: DataFile, place: Callable[[int], Place]) -> FollowedSites | None:
    # Most commands need none of what reads pickles.
    from .pickle_values import LARGEST_STATE
    from .plone_sites import find_plone_sites

    places: dict[int, Place] = {}

    def read(oid: int) -> bytes:
        places[oid] = data, size = place(oid)
        if not data or size > LARGEST_STATE:
            raise LookupError(oid)
        return unpacked(file.read(size, data), LARGEST_STATE)

    try:
        return FollowedSites(find_plone_sites(read), places)
    except (LookupError, ValueError, FileStorageError, zlib.error):
        return None
