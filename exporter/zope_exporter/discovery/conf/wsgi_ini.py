"""The ini file of a Zope that runs under WSGI: zope.ini, wsgi.ini.

Its application names zope.conf, its server section where it listens and how many threads it runs,
its logging sections where the access and the event log go.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zope_exporter.discovery.inventory import EventLog

from .address import reachable
from .log_handlers import LogFile, log_files
from .paste import Component, Paste

_ON = frozenset({"true", "on", "1"})
_TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})  # as Paste has it
_NO_LOG = LogFile("")
_MESSAGE = "%(message)s"
_WAITRESS = re.compile("waitress|zope2instance")  # Plone's recipe wraps waitress
_WAITRESS_THREADS = 4
_WAITRESS_PORT = 8080


@dataclass(frozen=True)
class WsgiIni:
    """What the ini file says of the server, the pipeline and the logs.

    `urls` are those by which this host reaches the listeners; those on a Unix socket are in
    `unix_sockets`. `pipeline` has the names as written, the outermost first, `components` the code
    behind each, such as `egg:Paste#translogger`; `request_format` is how that one writes requests,
    if it was told. The debug switches are what the ini file and the
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
    more_event_logs: tuple[EventLog, ...]
    request_format: str | None
    pipeline: tuple[str, ...]
    components: tuple[str, ...]
    debug_mode: bool
    debug_exceptions: bool
    files: tuple[Path, ...]
    problems: tuple[str, ...]


def read_wsgi_ini(
    path: Path,
    variables: Mapping[str, str] = {},
    cwd: Path | None = None,
    root: Path | None = None,
) -> WsgiIni:
    """Read an ini file; raises ConfigFileError.

    `variables` are the assignments on the command line of the process, such as
    `config_file=zope.conf`, `cwd` its working directory, `root` its root if that is not ours.
    """
    paste = Paste(path.absolute(), variables, [], root)
    pipeline = paste.pipeline()
    zope = _zope(paste, pipeline)
    section = paste.server()
    server = _read_server(section, paste.problems) if section else _Server()
    logger = next((each for each in pipeline if each.use.endswith("#translogger")), None)
    files = log_files(paste.main, _logger_name(logger), _passes_on(logger))
    access = files.access or _NO_LOG
    event, *more = files.event or (_NO_LOG,)

    def place(what: str, text: str | None) -> Path | None:
        return _place(paste, cwd, what, text) if text else None

    return WsgiIni(
        path=paste.main.path,
        zope_conf=place("zope_conf", zope.get("zope_conf") if zope else None),
        urls=tuple(f"http://{address}" for address in server.addresses),
        unix_sockets=tuple(filter(None, (place("unix_socket", t) for t in server.unix_sockets))),
        threads=server.threads,
        access_log=place("the access log", access.name),
        event_log=place("the event log", event.name),
        access_log_format=access.format,
        event_log_format=event.format,
        event_log_date_format=event.date_format,
        more_event_logs=tuple(
            EventLog(_place(paste, cwd, "an event log", log.name), log.format, log.date_format)
            for log in more
        ),
        request_format=_request_format(logger, access.format),
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


def _logger_name(translogger: Component | None) -> str:
    return (translogger and translogger.get("logger_name")) or "wsgi"


def _passes_on(translogger: Component | None) -> bool:
    """Whether requests go to the loggers above: not with the console that Paste sets up."""
    if translogger is None:
        return False
    return (translogger.get("setup_console_handler") or "true").lower() not in _TRUE


def _request_format(translogger: Component | None, of_handler: str | None) -> str | None:
    """As it is once PasteDeploy has read it: its own variables are filled in with the request."""
    if translogger is None:
        return None
    for ini, section in translogger.sections:
        if text := ini.sections[section].get("format"):
            return (of_handler or _MESSAGE).replace(_MESSAGE, text.replace("%%", "%"))
    return None


def _is_on(zope: Component | None, switch: str) -> bool:
    return zope is not None and zope.get_global(switch) in _ON


def _place(paste: Paste, cwd: Path | None, what: str, text: str) -> Path:
    """Zope takes relative paths from the directory it was started in, if that is known."""
    ini = paste.main.path
    if cwd is None and not text.startswith("/"):
        paste.problems.append(
            f"{ini}: {what} is relative to the directory of the process, taken to be "
            f"{ini.parent}; write it in full"
        )
    return (cwd or ini.parent) / text


@dataclass(frozen=True)
class _Server:
    """Listeners as `host:port` to reach them from this host, or as paths of Unix sockets."""

    addresses: tuple[str, ...] = ()
    unix_sockets: tuple[str, ...] = ()
    threads: int | None = None


def _read_server(server: Component, problems: list[str]) -> _Server:
    """What a server section says, with waitress's defaults if it is a waitress."""
    is_waitress = bool(_WAITRESS.search(server.use + (server.get("paste.server_factory") or "")))
    default_port = str(_WAITRESS_PORT) if is_waitress else ""
    addresses, unix_sockets = [], []
    for text in _listeners(server, default_port):
        kind, _, path = text.partition(":")
        if kind == "unix":
            unix_sockets.append(path)
            continue
        try:
            addresses.append(_address(text, default_port))
        except ValueError:
            problems.append(f"{_where(server)}: a listener is not host:port; correct it")
    if not addresses and not unix_sockets:
        problems.append(f"{_where(server)}: no listener; add host and port, or listen")
    threads = _threads(server, problems)
    if threads is None and is_waitress:
        threads = _WAITRESS_THREADS
    return _Server(tuple(dict.fromkeys(addresses)), tuple(unix_sockets), threads)


def _listeners(server: Component, default_port: str) -> Iterator[str]:
    """As host:port or unix:path. gunicorn has `bind`, pyruvate `socket`, Plone's recipe
    `fast-listen`."""
    listen = [server.get(option) for option in ("listen", "fast-listen", "bind", "socket")]
    unix_socket = server.get("unix_socket")
    host, port = server.get("host"), server.get("port")
    if any(listen):
        yield from " ".join(filter(None, listen)).replace(",", " ").split()
    elif unix_socket:
        yield f"unix:{unix_socket}"
    elif host is not None or port is not None or default_port:
        yield f"{host or ''}:{port or default_port}"


def _address(text: str, default_port: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, default_port
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError("no such port")
    return reachable(host.strip("[]"), number)


def _threads(server: Component, problems: list[str]) -> int | None:
    text = server.get("threads")
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        problems.append(f"{_where(server)}: threads is not a whole number; correct it")
        return None


def _where(server: Component) -> str:
    ini, section = server.sections[0]
    return f"{ini.path}: [{section}]"
