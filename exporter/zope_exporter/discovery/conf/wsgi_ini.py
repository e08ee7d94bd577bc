"""The ini file of a Zope that runs under WSGI: zope.ini, wsgi.ini."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .paste_component import Component, Paste
from .wsgi_logging import log_file
from .wsgi_server import WsgiServer, read_server

_ON = frozenset({"true", "on", "1"})


@dataclass(frozen=True)
class WsgiIni:
    """What the ini file says of the server, the pipeline and the logs.

    `urls` are those by which this host reaches the listeners; those on a Unix socket are in
    `unix_sockets`. `pipeline` has the names as written, the outermost first, `components` the code
    behind each, such as `egg:Paste#translogger`. The debug switches are what the ini file and the
    command line add to zope.conf. `files` are this file and all that it uses.
    """

    path: Path
    zope_conf: Path | None
    urls: tuple[str, ...]
    unix_sockets: tuple[Path, ...]
    threads: int | None
    access_log: Path | None
    event_log: Path | None
    access_log_format: str | None
    event_log_format: str | None
    event_log_date_format: str | None
    pipeline: tuple[str, ...]
    components: tuple[str, ...]
    debug_mode: bool
    debug_exceptions: bool
    files: tuple[Path, ...]
    problems: tuple[str, ...]


def read_wsgi_ini(
    path: Path, variables: Mapping[str, str] = {}, cwd: Path | None = None
) -> WsgiIni:
    """Read an ini file; raises ConfigFileError.

    `variables` are the assignments on the command line of the process, such as
    `config_file=zope.conf`, and `cwd` is its working directory.
    """
    paste = Paste(path.absolute(), variables, [])
    pipeline = paste.pipeline()
    zope = _zope(paste, pipeline)
    server = _server(paste)
    access = log_file(paste.main, _access_logger(pipeline))
    event = log_file(paste.main, "root")
    places = _Places(paste, cwd)
    return WsgiIni(
        path=paste.main.path,
        zope_conf=places.of("zope_conf", zope.get("zope_conf") if zope else None),
        urls=tuple(f"http://{address}" for address in server.addresses),
        unix_sockets=tuple(
            place for text in server.unix_sockets if (place := places.of("unix_socket", text))
        ),
        threads=server.threads,
        access_log=places.of("the access log", access.name if access else None),
        event_log=places.of("the event log", event.name if event else None),
        access_log_format=access.format if access else None,
        event_log_format=event.format if event else None,
        event_log_date_format=event.date_format if event else None,
        pipeline=tuple(component.name for component in pipeline),
        components=tuple(component.use for component in pipeline),
        debug_mode=_is_on(zope, "debug_mode"),
        debug_exceptions=_is_on(zope, "debug_exceptions"),
        files=paste.files,
        problems=tuple(dict.fromkeys(paste.problems)),
    )


def _zope(paste: Paste, pipeline: tuple[Component, ...]) -> Component | None:
    """The application that Zope is: at the end of the pipeline, or else somewhere in the file."""
    for application in (*pipeline[-1:], *paste.applications()):
        if application.get("zope_conf"):
            return application
    paste.problems.append(
        f"{paste.main.path}: no application has a zope_conf; add it to [app:zope]"
    )
    return None


def _server(paste: Paste) -> WsgiServer:
    server = paste.server()
    return read_server(server, paste.problems) if server else WsgiServer()


def _access_logger(pipeline: tuple[Component, ...]) -> str:
    for component in pipeline:
        if component.use.endswith("#translogger"):
            return component.get("logger_name") or "wsgi"
    return "wsgi"


def _is_on(zope: Component | None, switch: str) -> bool:
    return zope is not None and zope.get_global(switch) in _ON


class _Places:
    """Zope takes relative paths from the directory it was started in, if that is known."""

    def __init__(self, paste: Paste, cwd: Path | None) -> None:
        self._paste = paste
        self._cwd = cwd

    def of(self, what: str, text: str | None) -> Path | None:
        if not text:
            return None
        ini = self._paste.main.path
        if self._cwd is None and not text.startswith("/"):
            self._paste.problems.append(
                f"{ini}: {what} is relative to the directory of the process, taken to be "
                f"{ini.parent}; write it in full"
            )
        return (self._cwd or ini.parent) / text
