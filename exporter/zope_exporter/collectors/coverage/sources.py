"""How each source of a Zope or ZEO server is: watched, not there, or blind and why."""

from collections.abc import Callable, Iterator

from zope_exporter.collectors import agent, backup, blobs, filestorage, ping, process, zeo
from zope_exporter.collectors.agent.databases import RELSTORAGE_SIZE
from zope_exporter.discovery.inventory import Database, Service, ZeoServer

from .evidence import Judged, Looked, together
from .logged import access_log, event_log

_LATE = "gave no answer in time"


_ELSEWHERE: Judged = "absent", "on another host, where no zope-exporter looks"


def _process(look: Looked) -> Judged:
    if look.service.is_elsewhere:
        return _ELSEWHERE
    if look.value(process.UP, look.service.name) is not None:
        return "watched", ""
    return "blind", look.failure("process", look.service.name) or _LATE


def _configuration(look: Looked) -> Judged:
    service = look.service
    if service.is_elsewhere:
        return _ELSEWHERE
    if service.config is None:
        named = "zope_conf" if look.is_zope else "conf"
        return "blind", f"its configuration is not known (name it as {named}:)"
    return "watched", str(service.config)


def _storage(look: Looked) -> Judged:
    def judge(database: Database, data_fs_of: str | None) -> Judged:
        if data_fs_of is None:
            return _no_data_fs(look, database)
        if look.value(filestorage.SIZE, data_fs_of) is not None:
            return "watched", ""
        return "blind", look.failure("filestorage", data_fs_of) or f"{data_fs_of} {_LATE}"

    found = [
        judge(each, storage.database if storage else None) for each, storage in look.storages()
    ]
    return together(found, "no database is known")


def _no_data_fs(look: Looked, database: Database) -> Judged:
    """A storage of which there is no Data.fs on this host."""
    if database.kind == "zeo":
        return "absent", "on the host of the ZEO server"
    if database.kind == "temporary":
        return "absent", "in memory"
    if database.kind == "relstorage":
        return _relstorage(look, database.name)
    text = f"the storage of {database.name} is of a kind that is not known"
    return "blind", f"{text} (nothing but its Zope is watched)"


def _relstorage(look: Looked, database: str) -> Judged:
    """A RelStorage, of which only the agent of a Zope that mounts it can tell."""
    zopes = [each.name for each in look.service.apart()]
    if any(look.value(RELSTORAGE_SIZE, zope, database) is not None for zope in zopes):
        return "watched", "by the agent"
    failures = [look.failure("agent", zope) for zope in zopes]
    said = next(filter(None, failures), "which only the agent inside its Zope reports")
    remedy = "install the agent, or watch its SQL database by that one's own exporter"
    return "blind", f"{database} is in a RelStorage, {said} ({remedy})"


def _blobs(look: Looked) -> Judged:
    found: list[Judged] = []
    for _, storage in look.storages():
        if storage is not None and storage.blob_dir is not None:
            reason = look.failure("blobs", storage.database)
            seen = look.value(blobs.SEEN, storage.database) is not None and not reason
            found.append(("watched", "") if seen else ("blind", reason or f"its walk {_LATE}"))
    return together(found, "no blob directory on this host")


def _agent(look: Looked) -> Judged:
    if not look.is_zope:
        return "absent", "Zopes only"
    if look.service.is_elsewhere:
        return _ELSEWHERE
    if not look.value(process.UP, look.service.name) and not _has_agent(look, look.service):
        return "absent", "not while Zope is not running"
    return together([_agent_of(look, each) for each in look.service.apart()], "")


def _has_agent(look: Looked, zope: Service) -> bool:
    return any(look.value(agent.UP, each.name) is not None for each in zope.apart())


def _agent_of(look: Looked, zope: Service) -> Judged:
    """The agent of one process."""
    up = look.value(agent.UP, zope.name)
    if up:
        return "watched", ""
    if up is not None:
        return "blind", look.failure("agent", zope.name) or "it does not answer"
    absence = look.evidence.absence(zope)
    return ("blind" if absence.is_installed else "absent"), absence.reason


def _probe(look: Looked) -> Judged:
    if not look.is_zope:
        return "absent", "Zopes only"
    names = [target.name for target in look.site.targets]
    if not names:
        return "blind", "no address to probe is known (give one under ping:)"
    if any(look.value(ping.UP, name) is not None for name in names):
        return "watched", ", ".join(names)
    return "blind", next(filter(None, (look.failure("ping", name) for name in names)), _LATE)


def _zeo(look: Looked) -> Judged:
    asked = [_zeo_server(look, server) for server in _servers(look)]
    return together(asked, "no ZEO")


def _servers(look: Looked) -> Iterator[ZeoServer]:
    uses = any(database.kind == "zeo" for database in look.service.databases)
    uses = uses or look.service.is_elsewhere  # of which it is not known, but said
    for server in look.site.zeo:
        if uses if look.is_zope else server.address == look.service.address:
            yield server


def _zeo_server(look: Looked, server: ZeoServer) -> Judged:
    if look.evidence.values.labels(zeo.UP, look.site.name, server.name):
        return "watched", ""
    reason = server.problem or look.failure("zeo", server.name)
    return "blind", reason or f"{server.address} {_LATE}"


def _backup(look: Looked) -> Judged:
    found: list[Judged] = []
    for database, storage in look.storages():
        name = storage.database if storage else database.name
        if storage is None and look.value(backup.EXTERNAL, name) is None:
            continue
        if look.value(backup.MAX_AGE, name) is None:
            remedy = "configure backup: for the site"
            found.append(("blind", f"no backup of {name} is known ({remedy})"))
        elif all(
            look.value(each, name) is None for each in (backup.AVAILABLE, backup.LAST_SUCCESS)
        ):
            found.append(("blind", look.failure("backup", name) or f"of {name} {_LATE}"))
        else:
            found.append(("watched", ""))
    return together(found, "no database on this host")


SOURCES: dict[str, Callable[[Looked], Judged]] = {
    "process": _process,
    "configuration": _configuration,
    "storage": _storage,
    "blobs": _blobs,
    "access_log": access_log,
    "event_log": event_log,
    "agent": _agent,
    "probe": _probe,
    "zeo": _zeo,
    "backup": _backup,
}
"""In the order of a table of them."""
