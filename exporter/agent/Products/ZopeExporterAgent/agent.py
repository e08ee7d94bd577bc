"""The agent: its socket, and what it answers there."""

from __future__ import absolute_import

import atexit
import json
import logging
import os
import time

from Products.ZopeExporterAgent import __version__
from Products.ZopeExporterAgent.activity import Activity
from Products.ZopeExporterAgent.conflicts import Conflicts
from Products.ZopeExporterAgent.conversation import RefusedError
from Products.ZopeExporterAgent.databases import (
    Known,
    are_loads_timed,
    database_status,
    held_since,
    innermost,
    open_databases,
    watch,
)
from Products.ZopeExporterAgent.event_log import EventLog
from Products.ZopeExporterAgent.instance import Instance
from Products.ZopeExporterAgent.long_requests import long_requests
from Products.ZopeExporterAgent.packs import Packs
from Products.ZopeExporterAgent.parts import ABSENT, UnknownError, gather, text
from Products.ZopeExporterAgent.records import MOST as MOST_RECORDS
from Products.ZopeExporterAgent.records import Records
from Products.ZopeExporterAgent.requests import Requests
from Products.ZopeExporterAgent.server import Server
from Products.ZopeExporterAgent.socket_file import SocketFile
from Products.ZopeExporterAgent.sql_statistics import SqlStatistics
from Products.ZopeExporterAgent.views import Views
from Products.ZopeExporterAgent.waitress_server import Waitress
from Products.ZopeExporterAgent.wsgi import CountedApplication
from Products.ZopeExporterAgent.zserver import ZServer

log = logging.getLogger(__name__)

# Between looks for a web server: it listens soon after Zope is up, and requests come at once.
SOON = 0.005  # seconds
START = 60.0  # for so long it may still be about to listen
LATER = 1.0


class Agent(object):
    """Of one process. Threads of the web server tell it things, its own thread answers."""

    def __init__(self, configuration, settings, config_files):
        self._configuration = configuration
        self._settings = settings
        self._start = time.time()
        self._instance = Instance(configuration, config_files)
        self._has_filter = False
        self._requests = Requests()
        self._activity = Activity(self._requests.loaded)
        self._packs = Packs()
        self._known = Known(self._activity, self._packs, SqlStatistics())
        self._records = Records()
        self._event_log = EventLog()
        self._conflicts = Conflicts(self._requests)
        self._views = Views(self._requests)
        self._web_servers = [Waitress(self._requests), ZServer(self._requests)]
        self._problems = {"settings.%d" % n: text(p) for n, p in enumerate(settings.problems)}
        directory = settings.socket_directory or configuration.clienthome
        self._socket = SocketFile(directory, settings.socket_mode, settings.socket_group)
        self.path = self._socket.path
        self._server = Server(self._socket.listener, self.answer, self._look_around)

    def start(self):
        """Begin to count and to answer; what cannot be counted is named in every answer."""
        listeners = [("conflicts", self._conflicts.subscribe), ("views", self._views.subscribe)]
        gather(listeners, self._problems)
        self._look_around()
        self._server.start()
        atexit.register(self._end)
        if hasattr(os, "register_at_fork"):  # not in Python 2
            os.register_at_fork(after_in_child=self._let_go)

    def _end(self):
        """At the end of the process: whatever the thread meets from here on is no problem."""
        self._server.stop()
        self._socket.close()

    def _let_go(self):
        """In a forked child: the socket is the parent's, and what it held at that moment is not."""
        self._server.let_go()
        self._socket.close()
        self._requests.forget()
        self._event_log.forget()
        self._activity.forget()
        self._conflicts.renew_locks()
        self._packs.renew_locks()

    def counted(self, application):
        """The application, its requests counted from here on."""
        self._has_filter = True
        return CountedApplication(application, self._requests)

    def _look_around(self):
        """Take notice of what has been opened meanwhile; seconds until the next look."""
        self._requests.count()
        # Whatever fails here fails again where it is reported.
        looks = [
            ("event_log", self._event_log.look),
            ("databases", self._watch_databases),
            ("workers", self._web_server),
        ]
        found = gather(looks, {})
        is_starting = not found.get("workers") and time.time() - self._start < START
        return SOON if is_starting else LATER

    def _watch_databases(self):
        databases = open_databases()
        for database in databases.values():
            watch(database, self._known)
        self._requests.views.are_loads_timed = are_loads_timed(databases)

    def _web_server(self):
        """The web server of this process, its requests counted; None if there is none yet."""
        for server in self._web_servers:
            if server.attach():
                return server
        return None

    def answer(self, request):
        """The status and the answer for a request to the socket."""
        methods = self._routes().get(request.path)
        if methods is None:
            raise RefusedError(404, "no such page")
        if request.method not in methods:
            raise RefusedError(405, "not by this method")
        return methods[request.method](request)

    def _routes(self):
        return {
            "/v1/status": {"GET": lambda _: (200, self.status())},
            "/v1/requests": {"GET": lambda _: (200, self._long_requests())},
            "/v1/views": {"GET": lambda _: (200, self._view_sums())},
            "/v1/pack": {
                "GET": lambda _: (200, {"packs": self._packs.status()}),
                "POST": self._pack,
            },
            "/v1/records": {"POST": self._read_records},
        }

    def status(self):
        """All that is known; a part that failed is absent and named in `errors`."""
        self._look_around()
        errors = dict(self._problems)
        found = gather(
            [
                ("agent", self._agent_status),
                ("instance", lambda: gather(self._instance.parts(), errors, "instance.")),
                ("databases", lambda: self._databases_status(errors)),
                ("conflicts", lambda: self._conflicts.status(open_databases())),
                ("event_log", self._event_log.status),
                ("requests", self._requests_status),
                ("workers", self._workers_status),
            ],
            errors,
        )
        found["errors"] = errors
        return found

    def _agent_status(self):
        return {
            "version": __version__,
            "pid": os.getpid(),
            "start": self._start,
            "instance_home": text(self._configuration.instancehome),
            "client_home": text(self._configuration.clienthome),
        }

    def _databases_status(self, errors):
        held = None
        if self._has_filter or getattr(self._web_server(), "counts_requests", False):
            held = held_since(self._requests.in_progress(), time.time())
        return {
            text(name): database_status(name, database, self._known, held, errors)
            for name, database in open_databases().items()
        }

    def _requests_status(self):
        if not self._has_filter and not self._require_web_server().counts_requests:
            raise UnknownError("the web server was at work before the agent")
        return self._requests.status(self._settings.long_request_threshold, time.time())

    def _workers_status(self):
        if self._has_filter and self._web_server() is None:
            return ABSENT  # a server that others know, and whose requests are counted
        return self._require_web_server().status()

    def _require_web_server(self):
        server = self._web_server()
        if server is None:
            raise UnknownError(
                "no web server of a known kind runs in this process (under another one put the"
                " filter egg:zope-exporter-agent#main into the pipeline)"
            )
        return server

    def _long_requests(self):
        threshold = self._settings.long_request_threshold
        return {
            "threshold_seconds": threshold,
            "requests": long_requests(self._requests, threshold, time.time()),
        }

    def _view_sums(self):
        self._requests.count()
        return self._requests.views.slices()

    def _pack(self, request):
        name, days = _order(request, _read_pack)
        return 202, {"id": self._packs.start(name, _database(name), days)}

    def _read_records(self, request):
        name, oids = _order(request, _read_oids)
        found = self._records.of(innermost(_database(name).storage), oids)
        return (202, {"reading": True}) if found is None else (200, {"records": found})


def _database(name):
    database = open_databases().get(name)
    if database is None:
        raise RefusedError(404, "no such database")
    return database


def _order(request, read):
    """The name of the database, and what else `read` finds in an order."""
    if request.peer not in (os.geteuid(), 0):
        raise RefusedError(403, "only the user that Zope runs as may ask for that")
    try:
        order = json.loads(request.body.decode("utf-8"))
        # Python 2's names are bytes.
        return str(order["database"]), read(order)
    except (KeyError, TypeError, ValueError):
        raise RefusedError(400, "not a database and what is asked of it")


def _read_pack(order):
    days = float(order["days"])
    if not 0 <= days <= 36500:
        raise ValueError
    return days


def _read_oids(order):
    oids = [int(oid) for oid in order["oids"]]
    if not 0 < len(oids) <= MOST_RECORDS or not all(0 <= oid < 2**63 for oid in oids):
        raise ValueError
    return oids
