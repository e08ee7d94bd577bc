"""Storage sections of zope.conf and zeo.conf: what lies beneath all wrappers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.discovery.inventory import StorageKind, TlsFiles

from .section import Section, Unresolved
from .values import Values

_KINDS: Mapping[str, StorageKind] = {
    "filestorage": "filestorage",
    "zeoclient": "zeo",
    "clientstorage": "zeo",
    "relstorage": "relstorage",
    "temporarystorage": "temporary",
    "mappingstorage": "temporary",
}


@dataclass(frozen=True)
class StorageSettings:
    """Where a storage keeps its data.

    Of a demo storage it is the base, which is only read, unless it has no other than changes. The
    blob directory of a ZEO client or a RelStorage is a mere cache unless it is shared. What an
    undefined name hides is left out.
    """

    kind: StorageKind
    data_fs: Path | None = None
    blob_dir: Path | None = None
    zeo_servers: tuple[str, ...] = ()
    zeo_storage: str = ""
    zeo_tls: TlsFiles | None = None


def read_storage(section: Section, values: Values) -> StorageSettings:
    """What a storage section, or the section around one, comes down to."""
    layers = _layers(section)
    innermost = layers[-1]
    kind = _KINDS.get(innermost.type, "temporary" if innermost.type == "demostorage" else "other")
    outermost_blobs = next((layer for layer in layers if layer.value("blob-dir")), None)
    return StorageSettings(
        kind,
        values.path(innermost, "path") if kind == "filestorage" else None,
        values.path(outermost_blobs, "blob-dir") if outermost_blobs else None,
        tuple(_servers(innermost, values)) if kind == "zeo" else (),
        _storage_name(innermost) if kind == "zeo" else "",
        _tls(innermost, values) if kind == "zeo" else None,
    )


def _layers(section: Section) -> tuple[Section, ...]:
    """The section, what it wraps, and so on down to what holds the data."""
    if section.type in _KINDS:
        return (section,)
    deepest: tuple[Section, ...] = ()
    for inner in sorted(section.sections, key=lambda inner: inner.name == "changes"):
        layers = _layers(inner)
        if layers[-1].type in _KINDS:
            return (section, *layers)
        deepest = deepest or layers
    return (section, *deepest)


def _servers(section: Section, values: Values) -> Iterator[str]:
    for text in section.values.get("server", ()):
        address = values.zeo_address(section, "server", text)
        if address is not None:
            yield address


def _storage_name(client: Section) -> str:
    name = client.value("storage") or "1"
    return "" if isinstance(name, Unresolved) else name


def _tls(client: Section, values: Values) -> TlsFiles | None:
    section = next(iter(client.find("ssl")), None)
    if section is None:
        return None
    hostname = section.value("server-hostname") or ""
    return TlsFiles(
        ca=values.path(section, "authenticate"),
        certificate=values.path(section, "certificate"),
        key=values.path(section, "key"),
        hostname="" if isinstance(hostname, Unresolved) else hostname,
        check_hostname=values.boolean(section, "check-hostname", default=True),
    )
