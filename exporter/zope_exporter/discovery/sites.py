"""Settling which services make up a site, and what everything is called."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from .inventory import Service
from .naming import first_free, service_names, site_names
from .sharing import Sharing, connected


@dataclass(frozen=True)
class Member:
    """A service on its way into a site.

    `site` and `name` are empty until they are settled; once given they stay, whatever else appears,
    so that its series go on. Only what the configuration declares outranks that.
    """

    service: Service
    site: str = ""
    name: str = ""
    declared: bool = False


@dataclass(frozen=True)
class Settled:
    """A service with its final name and the sites it belongs to.

    Only a ZEO server can be in several sites: one for each of its storages.
    """

    service: Service
    sites: tuple[str, ...]
    declared: bool = False


def settle(
    members: Sequence[Member], declared_sites: Collection[str], sharing: Sharing
) -> tuple[Settled, ...]:
    """Give every member its sites and its name; the first of equals gets the shortest name."""
    sites = _Sites(members, declared_sites, sharing).assign()
    names = _names(members, sites)
    return tuple(
        Settled(replace(member.service, name=name), tuple(sites[index]), member.declared)
        for index, (member, name) in enumerate(zip(members, names, strict=True))
    )


class _Sites:
    """Finds the sites of all members, which are known here by their index."""

    def __init__(
        self, members: Sequence[Member], declared_sites: Collection[str], sharing: Sharing
    ) -> None:
        self._members = members
        self._declared_sites = declared_sites
        self._keys = [sharing.service_keys(member.service) for member in members]
        self._taken = {member.site for member in members if member.site} | set(declared_sites)
        self._sites: dict[int, list[str]] = {}

    def assign(self) -> dict[int, list[str]]:
        zopes = connected((index, self._keys[index]) for index in self._of_kind("zope"))
        for group in zopes:
            self._assign_zopes(group)
        for index in self._of_kind("zeo"):
            self._assign_zeo(index)
        return self._sites

    def _of_kind(self, kind: str) -> Iterator[int]:
        return (i for i, member in enumerate(self._members) if member.service.kind == kind)

    def _assign_zopes(self, group: list[int]) -> None:
        members = [self._members[index] for index in group]
        servers = self._servers_of(group)
        declared = _first(member.site for member in [*members, *servers] if member.declared)
        of_zopes = {self._members[index].site for index in self._of_kind("zope")}
        common = (
            declared
            or _first(member.site for member in members)
            # What a ZEO server was called before its clients were known is theirs now.
            or _first(member.site for member in servers if member.site not in of_zopes)
            or self._new(members[0])
        )
        for index, member in zip(group, members, strict=True):
            own = member.site if member.declared or not declared else ""
            self._sites[index] = [own or common]

    def _servers_of(self, group: list[int]) -> list[Member]:
        keys = frozenset[object]().union(*(self._keys[index] for index in group))
        return [self._members[index] for index in self._of_kind("zeo") if self._keys[index] & keys]

    def _assign_zeo(self, index: int) -> None:
        member = self._members[index]
        served = [
            site
            for zope in self._of_kind("zope")
            if self._keys[zope] & self._keys[index]
            for site in self._sites[zope]
        ]
        own = [member.site] if member.site and (member.declared or not served) else []
        self._sites[index] = list(dict.fromkeys(own + served)) or [self._new(member)]

    def _new(self, member: Member) -> str:
        # A site that the configuration calls the same is meant to be the same.
        taken = self._taken - set(self._declared_sites)
        name = first_free(site_names(member.service), taken)
        self._taken.add(name)
        return name


def _first(sites: Iterable[str]) -> str:
    return next(filter(None, sites), "")


def _names(members: Sequence[Member], sites: dict[int, list[str]]) -> list[str]:
    """Names that are unique within each site; settled ones first, so that they stay.

    Only a ZEO server may lose its name, where it comes to a site whose Zopes have it already.
    """
    names = [""] * len(members)
    taken: dict[str, set[str]] = {}
    for index in sorted(range(len(members)), key=lambda index: _precedence(members[index])):
        here = [taken.setdefault(site, set()) for site in sites[index]]
        wanted = members[index].name
        if not wanted or any(wanted in names_here for names_here in here):
            used = frozenset[str]().union(*here)
            wanted = first_free(service_names(members[index].service), used)
        names[index] = wanted
        for names_here in here:
            names_here.add(wanted)
    return names


def _precedence(member: Member) -> tuple[bool, bool]:
    return not member.name, member.service.kind == "zeo"
