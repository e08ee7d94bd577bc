"""Settling which services make up a site, and what everything is called.

Names come out of the directories that sites and services live in.
"""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from .candidate import Candidate
from .inventory import Service
from .sharing import Sharing, connected

# Where a Data.fs lies in an instance says nothing about which instance it is.
_LAYOUT = frozenset({"var", "filestorage", "etc"})

# What installers, images and recipes call the directory of a Zope, on each host the same.
_OF_TOOLS = re.compile(
    "z?instance|zeocluster|zeoserver|zeo|standalone|app|backend|buildout|(client|plone|zope)[0-9]*"
)


def settle(
    members: Sequence[Candidate],
    declared_sites: Collection[str],
    sharing: Sharing,
    host: str = "",
) -> tuple[Candidate, ...]:
    """Give every member its sites and its name; the first of equals gets the shortest name.

    `host` is what people call this host.
    """
    sites = _Sites(members, declared_sites, sharing, host).assign()
    names = _names(members, sites)
    settled = [
        replace(member, service=replace(member.service, name=name), sites=tuple(sites[index]))
        for index, (member, name) in enumerate(zip(members, names, strict=True))
    ]
    # Of each site, the place of the first that is declared, or else of the first.
    firsts: dict[str, tuple[bool, int]] = {}
    for place, member in enumerate(settled):
        for site in member.sites:
            firsts[site] = min(firsts.get(site, (True, place)), (not member.declared, place))
    return tuple(
        _bringing_its_own(each, settled[min(firsts[site] for site in each.sites)[1]])
        for each in settled
    )


def _bringing_its_own(member: Candidate, first: Candidate) -> Candidate:
    """Anybody may be a client of a ZEO server; that alone brings its site no Data.fs.

    `first` is the one whose user the site belongs to.
    """
    if member.declared or first.owner is None or member.owner in {None, 0, first.owner}:
        return member
    service = member.service
    own = [each.data_fs for each in service.databases if each.data_fs]
    if not own:
        return member
    told = (
        f"{service.config}, of user {member.owner}, has {', '.join(map(str, own))} beside the"
        f" databases of a site of user {first.owner}: ignored until zope_conf is under sites:"
    )
    databases = tuple(each for each in service.databases if not each.data_fs)
    service = replace(service, databases=databases, problems=(*service.problems, told))
    return replace(member, service=service)


class _Sites:
    """Finds the sites of all members, which are known here by their index."""

    def __init__(
        self,
        members: Sequence[Candidate],
        declared_sites: Collection[str],
        sharing: Sharing,
        host: str,
    ) -> None:
        self._members = members
        self._declared_sites = declared_sites
        self._sharing, self._host = sharing, host
        self._keys = [sharing.service_keys(member.service) for member in members]
        self._taken = {member.site for member in members if member.site} | set(declared_sites)
        self._sites: dict[int, list[str]] = {}
        self._zopes, self._zeos = self._of_kind("zope"), self._of_kind("zeo")
        self._sites_of_zopes = {members[index].site for index in self._zopes}

    def assign(self) -> dict[int, list[str]]:
        zopes = connected((index, self._keys[index]) for index in self._zopes)
        for group in zopes:
            self._assign_zopes(group)
        for index in self._zeos:
            self._assign_zeo(index)
        return self._sites

    def _of_kind(self, kind: str) -> list[int]:
        return [i for i, member in enumerate(self._members) if member.service.kind == kind]

    def _assign_zopes(self, group: list[int]) -> None:
        members = [self._members[index] for index in group]
        servers = self._servers_of(group)
        declared = _first(member.site for member in [*members, *servers] if member.declared)
        common = (
            declared
            or _first(member.site for member in members)
            # What a ZEO server was called before its clients were known is theirs now.
            or _first(member.site for member in servers if member.site not in self._sites_of_zopes)
            or self._new(members[0])
        )
        for index, member in zip(group, members, strict=True):
            own = member.site if member.declared or not declared else ""
            self._sites[index] = [own or common]

    def _servers_of(self, group: list[int]) -> list[Candidate]:
        keys = frozenset[object]().union(*(self._keys[index] for index in group))
        return [self._members[index] for index in self._zeos if self._keys[index] & keys]

    def _assign_zeo(self, index: int) -> None:
        member = self._members[index]
        served = [
            site
            for zope in self._zopes
            if self._keys[zope] & self._keys[index]
            for site in self._sites[zope]
        ]
        own = [member.site] if member.site and (member.declared or not served) else []
        self._sites[index] = list(dict.fromkeys(own + served)) or [self._new(member)]

    def _new(self, member: Candidate) -> str:
        # A site that the configuration calls the same is meant to be the same.
        plain = next(site_names(member.service))
        meant = [plain] if plain in self._declared_sites and self._fits(member, plain) else []
        # The names of declared sites are taken for all others.
        taken = self._taken - set(meant)
        elsewhere = self._sharing.elsewhere(member.service)
        names = chain(meant, site_names(member.service, elsewhere, self._host))
        name = first_free(names, taken)
        self._taken.add(name)
        return name

    def _fits(self, member: Candidate, site: str) -> bool:
        """Whether the site has nobody yet, or somebody of the same owner: a name proves nothing."""
        owners = {each.owner for each in self._members if each.site == site}
        return not owners or member.owner in {None, 0, *owners}


def _first(sites: Iterable[str]) -> str:
    return next(filter(None, sites), "")


def _names(members: Sequence[Candidate], sites: dict[int, list[str]]) -> list[str]:
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


def _precedence(member: Candidate) -> tuple[bool, bool]:
    return not member.name, member.service.kind == "zeo"


def service_names(service: Service) -> Iterator[str]:
    """Names for a service, best first, without end."""
    parts = _directory(service)
    if _is_part(parts):
        parts = [*parts[:-2], parts[-1]]
    if service.kind == "zeo" and parts:
        # One directory often holds a Zope and its ZEO server.
        return chain([parts[-1], f"{parts[-1]}-zeo"], _widening(parts))
    return _widening(parts)


def site_names(service: Service, elsewhere: str = "", host: str = "") -> Iterator[str]:
    """Names for the site of which this is the first service, best first, without end.

    Every buildout calls its parts instance, client1, zeoserver; what an administrator calls the
    site is the directory of the buildout. A directory that a tool has named is no name on two
    hosts: there it is the storage `elsewhere` that tells sites apart, as all of its clients know
    it, else this `host`.
    """
    parts = _directory(service)
    parts = parts[:-2] if _is_part(parts) else parts
    if not _OF_TOOLS.fullmatch(parts[-1].lower()):
        return _widening(parts)
    if elsewhere:
        return numbered(elsewhere)
    return (f"{host}-{name}" if host else name for name in _widening(parts))


def first_free(names: Iterable[str], taken: Container[str]) -> str:
    """Return the best name that nothing else has."""
    return next(name for name in names if name not in taken)


def _directory(service: Service) -> list[str]:
    database = next((database for database in service.databases if database.data_fs), None)
    home = service.home or service.config
    if home is None and database is not None and database.data_fs is not None:
        home = database.data_fs.parent
    # Bytes that are no text would make a label that cannot be encoded.
    parts = [part.encode("utf-8", "replace").decode() for part in (home or Path()).parts[1:]]
    while parts and parts[-1] in _LAYOUT:
        parts.pop()
    return parts or [service.kind]


def _is_part(parts: list[str]) -> bool:
    return len(parts) > 2 and parts[-2] == "parts"


def numbered(name: str) -> Iterator[str]:
    """Yield the name itself, then with -2, -3 and so on."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def _widening(parts: list[str]) -> Iterator[str]:
    for start in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[start:])
    yield from numbered("-".join(parts))
