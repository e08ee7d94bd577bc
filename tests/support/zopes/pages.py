"""Pages of a real Zope that do, inside it, what tests of the agent want done."""

from collections.abc import Iterable
from pathlib import Path

from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

# For Python 2.7 as well as 3. A module, as External Methods share nothing with one another.
_MODULE = '''\
import json
import logging
import logging.config
import os
import threading

import transaction
import Zope2
from App.config import getConfiguration
from persistent.mapping import PersistentMapping

GATE = os.path.join(getConfiguration().instancehome, "gate")
BURNING = os.path.join(getConfiguration().instancehome, "burning")


def fine(self):
    return "fine"


def boom(self):
    raise KeyError("x")


def hold(self, secret=""):
    """Do nothing until a test lets it go on."""
    while os.path.exists(GATE):
        threading.Event().wait(0.02)
    return "held"


def burn(self):
    """Use a processor until a test says stop."""
    while os.path.exists(BURNING):
        for _ in range(10000):
            pass
    return "burnt"


def panic(self):
    logging.getLogger("ZODB").critical("PANIC: this is a test")
    return "panicked"


def configure_logging(self):
    """Do at any time what a server does at the start: all handlers go, others come."""
    handler = {"class": "logging.StreamHandler"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"other": handler},
            "root": {"level": "INFO", "handlers": ["other"]},
        }
    )
    return "configured"


def stream(self):
    self.REQUEST.RESPONSE.write(b"some text")
    self.REQUEST.RESPONSE.write(b", more of it")


def download(self):
    """A file of 300 kB, as a server sends files."""
    from ZPublisher.Iterators import filestream_iterator

    path = os.path.join(getConfiguration().clienthome, "download")
    made = "%s-%s" % (path, threading.current_thread().ident)
    with open(made, "wb") as stream:
        stream.write(b"x" * 300000)
    os.rename(made, path)  # whoever is being sent the one before goes on with that
    self.REQUEST.RESPONSE.setHeader("Content-Length", "300000")
    return filestream_iterator(path, "rb")


def crowd(self):
    """Add 40 views, and what the one that is slow loads."""
    for number in range(40):
        self.manage_addDTMLMethod("view%d" % number, "", "some text")
    self._p_jar.root()["loads"] = [PersistentMapping(number=number) for number in range(30)]
    return "crowded"


def slow(self):
    self._p_jar.cacheMinimize()
    numbers = [each["number"] for each in self._p_jar.root()["loads"]]
    threading.Event().wait(0.2)
    return "%d" % sum(numbers)


meeting = threading.Condition()
arrived = [0]


def meet():
    with meeting:
        arrived[0] += 1
        meeting.notify_all()
        while arrived[0] < 2:
            meeting.wait(20)


def clash(self, database="main", retries=3):
    """Two of these at once conflict: both read before either writes."""
    self.REQUEST.retry_max_count = retries
    root = self._p_jar.get_connection(database).root()
    number = root.get("number", 0)
    meet()
    root["number"] = number + 1
    return "%d" % root["number"]


def part(self):
    arrived[0] = 0
    return "parted"


def open_database(self, name):
    """Where Zope has not opened it by itself; also count what its creation has stored."""
    getConfiguration().dbtab.getDatabase(name=name)
    self._p_jar.get_connection(name).root().get("number")
    return "opened"


leaked = []


def leak(self):
    leaked.append(Zope2.DB.open(transaction.TransactionManager()))
    return "leaked"


def plug(self):
    leaked.pop().close()
    return "plugged"


forbidden = []


def noticed(kind, name):
    forbidden.append("%s.%s in %s" % (kind, name, threading.current_thread().name))


def spied(cls, kind, allowed):
    """A class of the same name whose methods tell who calls them."""

    def method(name, original):
        def call(*arguments, **named):
            noticed(kind, name)
            return original(*arguments, **named)

        return call

    methods = {}
    for name in dir(cls):
        if name not in allowed and (not name.startswith("_") or name == "__len__"):
            found = getattr(cls, name)
            if callable(found) and not isinstance(found, type):
                methods[name] = method(name, found)
    return type(cls.__name__, (cls,), methods)


class SpyLock(object):
    def __init__(self, lock):
        self.lock = lock

    def acquire(self, *arguments):
        noticed("lock", "acquire")
        return self.lock.acquire(*arguments)

    def release(self):
        return self.lock.release()

    def __enter__(self):
        self.acquire()

    def __exit__(self, *raised):
        self.release()


NO_MORE_THAN_ATTRIBUTES = (
    "getActivityMonitor",
    "setActivityMonitor",
    "getCacheSize",
    "getCacheSizeBytes",
)


def spy(self):
    """From now on, note whoever locks the database or uses its methods or its storage's."""
    database = Zope2.DB
    storage = database.storage
    storage.__class__ = spied(type(storage), "storage", ())
    database.__class__ = spied(type(database), "database", NO_MORE_THAN_ATTRIBUTES)
    if hasattr(database, "_lock"):
        database._lock = SpyLock(database._lock)
    if hasattr(database, "_a"):
        lock = SpyLock(type("Lock", (), {"acquire": database._a, "release": database._r})())
        database._a, database._r = lock.acquire, lock.release
    return "watching"


def caught(self):
    return json.dumps(forbidden)
'''
_METHODS = (
    *("boom", "burn", "caught", "clash", "configure_logging", "crowd", "download", "fine"),
    *("hold", "leak", "open_database", "panic", "part", "plug", "slow", "spy", "stream"),
)


def add_pages(environment: Environment) -> None:
    """Put the module into an environment of the tests' own."""
    [packages] = environment.home.glob("lib/python*/site-packages")
    (packages / "zope_exporter_pages.py").write_text(_MODULE)


def publish_pages(zope: ZopeInstance, names: Iterable[str] = _METHODS) -> None:
    """Give a running site an External Method for each of its functions, or for some."""
    extensions = zope.home / "Extensions"
    extensions.mkdir(exist_ok=True)
    (extensions / "pages.py").write_text("from zope_exporter_pages import *\n")
    for name in names:
        form = {"id": name, "title": "", "module": "pages", "function": name}
        add = "/manage_addProduct/ExternalMethod/manage_addExternalMethod"
        assert zope.site.post(add, form).status_code in (200, 302)


def gate(home: Path) -> Path:
    """The file that keeps those who ask for /hold waiting."""
    return home / "gate"


def burning(home: Path) -> Path:
    """The file that keeps /burn going."""
    return home / "burning"
