"""What a ZEO server was told by the options of runzeo, which outrank its zeo.conf."""

from dataclasses import replace
from pathlib import Path

from .candidate import ADDRESS, FILENAME, MONITOR, Source
from .conf.address import zeo_address
from .inventory import Database, Service


def with_told(service: Service, source: Source) -> Service:
    """Return a ZEO server with the options -a, -f and -m of its command line."""
    told = dict(source.variables)
    problems: list[str] = []
    address = _address(told.get(ADDRESS, ""), service, problems) or service.address
    monitor = _address(told.get(MONITOR, ""), service, problems) or service.monitor_address
    databases = service.databases
    if told.get(FILENAME):
        databases = (Database("1", "filestorage", data_fs=Path(told[FILENAME]), zeo_storage="1"),)
    listening = (address,) if address else ()
    return replace(
        service,
        address=address,
        monitor_address=monitor,
        databases=tuple(replace(each, zeo_servers=listening) for each in databases),
        problems=(*service.problems, *problems),
    )


def _address(text: str, service: Service, problems: list[str]) -> str:
    try:
        # A port alone is what runzeo takes, as ZEO's own documentation has it.
        return zeo_address(text) if text else ""
    except ValueError:
        where = service.config or "runzeo"
        problems.append(f"{where}: the address of its command line is not host:port; correct it")
        return ""
