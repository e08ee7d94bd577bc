"""The Plone sites in a Data.fs, and the versions of the profiles that are installed in each.

They are found from the root down, through folders, and read from records as they are in the file:
no object is loaded and no pickle is run. What a folder keeps in a BTree is not searched.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from .datafile import FileStorageError
from .pickle_values import Ref, state_of

SITE = "Products.CMFPlone.Portal.PloneSite"
FOLDERS = frozenset(
    f"OFS.{name}"
    for name in ("Application.Application", "Folder.Folder", "OrderedFolder.OrderedFolder")
)
TOOL, VERSIONS, TREE = "portal_setup", "_profile_upgrade_versions", "_tree"
MOST_SITES = 100
MOST_FOLDERS = 50  # all are read again when one of them changes
MOST_PROFILES = 2000
DEEPEST_TREE = 20
LONGEST = 100
ROOT = Ref(0, "")

Read = Callable[[int], bytes]
"""Returns the data of an object's current record; LookupError if it is not known."""

_UNREADABLE = (LookupError, ValueError, FileStorageError, zlib.error)


def find_plone_sites(read: Read) -> dict[str, Mapping[str, str] | None]:
    """Return by the path of each site the versions of its profiles; None if they are not known.

    Raises ValueError or what `read` does if the root or a folder cannot be read.
    """
    return dict(_Search(read).sites())


class _Search:
    def __init__(self, read: Read) -> None:
        self._read = read

    def sites(self) -> Iterator[tuple[str, Mapping[str, str] | None]]:
        waiting, seen, count = deque([("", ROOT)]), {ROOT.oid}, 0
        for _ in range(MOST_FOLDERS):
            if not waiting:
                break
            path, folder = waiting.popleft()
            for name, ref in self._members(folder):
                below = "" if folder == ROOT else f"{path}/{name}"
                if ref.oid in seen:
                    continue
                if ref.class_name == SITE and count < MOST_SITES:
                    seen.add(ref.oid)
                    count += 1
                    yield (below or name)[:LONGEST], self._versions(ref)
                elif ref.class_name in FOLDERS:
                    seen.add(ref.oid)
                    waiting.append((below, ref))

    def _members(self, folder: Ref) -> Iterator[tuple[str, Ref]]:
        """Yield what attributes of a folder refer to, or what the root mapping does."""
        for name, value in self._dict(folder).items():
            if isinstance(value, Ref) and not name.startswith("__"):  # __parent__ leads upwards
                yield name, value

    def _versions(self, site: Ref) -> dict[str, str] | None:
        try:
            tool = self._member(site, TOOL)
            versions = self._dict(tool)[VERSIONS]
            if isinstance(versions, Ref):
                versions = self._dict(versions)
        except _UNREADABLE:
            return None
        if not isinstance(versions, dict):
            return None
        texts = ((name, _text(version)) for name, version in versions.items())
        known = [(name, text) for name, text in texts if text and len(name) <= LONGEST]
        return dict(known[:MOST_PROFILES])

    def _member(self, site: Ref, name: str) -> Ref:
        """Return what a site has of that name, as an attribute or, from Plone 6 on, in a BTree."""
        state = self._dict(site)
        found = state.get(name)
        if not isinstance(found, Ref) and isinstance(tree := state.get(TREE), Ref):
            found = self._in_tree(tree, name)
        if not isinstance(found, Ref):
            raise LookupError(name)
        return found

    def _in_tree(self, node: Ref, key: str) -> object:
        state = self._state(node)
        for _ in range(DEEPEST_TREE):
            # (of a bucket its keys and values, the next), (children between keys, first bucket)
            # or ((the only bucket),)
            items = state[0] if isinstance(state, tuple) and state else None
            if not isinstance(items, tuple):
                break
            if len(items) == 1 and isinstance(items[0], tuple):
                state = items[0]
            elif items and isinstance(items[0], Ref):
                state = self._state(_child(items, key))
            else:
                members = zip(items[::2], items[1::2], strict=False)
                return next((value for name, value in members if name == key), None)
        raise ValueError("not a BTree")

    def _dict(self, ref: Ref) -> dict[str, object]:
        """Return the attributes of an object, or what a mapping has."""
        state = self._state(ref)
        if isinstance(state, dict):
            for name in ("data", "_container"):  # of a PersistentMapping, also of old ones
                if isinstance(state.get(name), dict) and len(state) == 1:
                    return dict(state[name])
            return state
        raise ValueError("an object of another kind")

    def _state(self, ref: Ref) -> object:
        return state_of(self._read(ref.oid))


def _child(items: tuple[object, ...], key: str) -> Ref:
    child = items[0]
    for bound, following in zip(items[1::2], items[2::2], strict=False):
        if isinstance(bound, str) and bound <= key:
            child = following
    if not isinstance(child, Ref):
        raise ValueError("not a BTree")
    return child


def _text(version: object) -> str:
    if isinstance(version, tuple) and all(isinstance(part, str) for part in version):
        version = ".".join(version)
    return version if isinstance(version, str) and len(version) <= LONGEST else ""
