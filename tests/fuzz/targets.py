"""A target for each parser of what strangers write: any bytes are read, or a named error tells.

Each takes bytes, as atheris has it. Whatever else than the documented error comes out of one is a
finding, and so is what takes too long.
"""

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from zope_exporter.alerting.webhook.payload import PayloadError, parse_notification
from zope_exporter.clients.agent.answer import AgentError, Answer
from zope_exporter.clients.agent.client import _long_request, _pack, _parse
from zope_exporter.clients.agent.views import slices
from zope_exporter.clients.zeo.link import InvalidAnswerError, Link, ZeoError
from zope_exporter.clients.zeo.order import Server
from zope_exporter.clients.zeo.status import ask_ruok, parse_monitor, parse_status
from zope_exporter.clients.zmi.pages import ZmiError, read_caches, read_panel
from zope_exporter.config.load import ConfigError, load_config
from zope_exporter.discovery.command_line import CommandLineError
from zope_exporter.discovery.command_line import parse as parse_command_line
from zope_exporter.discovery.conf.config_file import ConfigFileError
from zope_exporter.discovery.conf.wsgi_ini import read_wsgi_ini
from zope_exporter.discovery.conf.zeo_conf import read_zeo_conf
from zope_exporter.discovery.conf.zope_conf import read_zope_conf
from zope_exporter.discovery.pid_file import process_of
from zope_exporter.logs.access import clf, haproxy
from zope_exporter.logs.access.counter import AccessCounter
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog import message
from zope_exporter.logs.wrapping import json_lines
from zope_exporter.logs.wrapping.layers import LAYERS, Unwrapping, find_layers, without_prefix
from zope_exporter.maintenance.backup.chains import read_dat
from zope_exporter.maintenance.backup.checksummed_json import ChecksumError, checksummed
from zope_exporter.maintenance.backup.manifest import read_manifest
from zope_exporter.maintenance.backup.verification_record import read_current, read_record
from zope_exporter.maintenance.jobs.report import Silent
from zope_exporter.maintenance.recover.recover import salvage
from zope_exporter.metrics.exposition import encode
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.storage.filestorage.growth import growth_of
from zope_exporter.storage.filestorage.index import read_index
from zope_exporter.storage.filestorage.pickle_machine import strong_references
from zope_exporter.storage.filestorage.pickle_values import state_of
from zope_exporter.storage.filestorage.tail import read_tail
from zope_exporter.system.foreign_file import ForeignFileError
from zope_exporter.web.api import RefusedRequestError, parse_object
from zope_exporter.web.auth import _credentials
from zope_exporter.web.tokens import TokenFile
from zope_exporter.web.webconfig import load_web_config

Target = Callable[[bytes], object]
# In memory where there is such a place: a fuzzer writes a file for each run.
STAMP = "2026-11-22-10-37-51"
ROOM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _file(
    read: Callable[[Path], object],
    error: type[Exception],
    name: str = "file",
    written: Callable[[bytes], bytes] = bytes,
) -> Target:
    """A parser of files."""

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=ROOM) as directory:
            path = Path(directory, name)
            path.write_bytes(written(data))
            path.chmod(0o600)
            with suppress(error):
                read(path)

    return target


def _text(read: Callable[[str], object], error: type[Exception]) -> Target:
    return _bytes(lambda data: read(data.decode(errors="replace")), error)


def _bytes(read: Target, *errors: type[Exception]) -> Target:
    def target(data: bytes) -> None:
        with suppress(*errors):
            read(data)

    return target


def _event_log(data: bytes) -> None:
    counter = EventCounter()
    counter.feed(data + b"\n")
    counter.load(counter.save())


def _syslog(data: bytes) -> None:
    message.access_line(message.parse(data))


def _command_line(data: bytes) -> None:
    with suppress(CommandLineError):
        parse_command_line(data.decode(errors="surrogateescape").split("\0"))


def _notification(data: bytes) -> None:
    parse_notification(parse_object(data))


def _line(read: Callable[[bytes], object]) -> Target:
    return lambda data: read(data.replace(b"\n", b""))


def _json_line(data: bytes) -> None:
    found = json_lines.read_object(data)
    if found is not None:
        json_lines.from_docker(found)
        json_lines.record(found)


def _wrapped_log(data: bytes) -> None:
    """What is found out about it, and each layer with JSON within, a piece after the other."""
    find_layers(data, lambda text: text.startswith(b"127"))
    for layer in LAYERS:
        unwrapping = Unwrapping((layer, "json") if layer != "json" else (layer,))
        for piece in data.split(b"\0"):
            unwrapped = unwrapping(piece + b"\n")
            assert not unwrapped or unwrapped.endswith(b"\n")


def _sealed(data: bytes) -> bytes:
    """With the checksum of what it says, so that more than that is read."""
    with suppress(ValueError, RecursionError):
        return checksummed(json.loads(data))
    return data


def _event_format(data: bytes) -> None:
    """The first line is a format, the second one of dates; the rest is a log."""
    form, _, rest = data.decode(errors="replace").partition("\n")
    dates, _, lines = rest.partition("\n")
    with suppress(ValueError):
        EventCounter(form, date_format=dates or None).feed(lines.encode() + b"\n")


def _access_format(data: bytes) -> None:
    """The first line is a format, the rest a log."""
    form, _, lines = data.decode(errors="replace").partition("\n")
    with suppress(ValueError):
        AccessCounter(form).feed(lines.encode() + b"\n")


def _agent_answer(data: bytes) -> None:
    answer: Answer = _parse(data, "/status")
    for name in answer.keys("packs"):
        _pack(answer, name)
    for index in range(answer.length("requests") or 0):
        _long_request(answer, index)
    for each in slices(answer):
        assert all(view.isprintable() and sums.seconds >= 0 for view, sums in each.views.items())
    for name in answer.databases():
        answer.counts("databases", name)
        answer.numbers("databases", name, "connections")


def _zeo(ask: Callable[[Link], object]) -> Target:
    """All that a ZEO server says, whatever it is asked."""

    def listen(data: bytes) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(data[:100_000])
            theirs.shutdown(socket.SHUT_WR)
            ask(Link(ours, time.monotonic() + 60))

    return _bytes(listen, ZeoError)


def _pickles(data: bytes) -> None:
    for _ in strong_references(data):
        pass


def _accept(data: bytes) -> None:
    encode([], data.decode("latin-1"))  # as servers give a header


def _growth(path: Path) -> None:
    growth = growth_of(path, ("class", "path", "user", "view"), 1e10)
    assert growth.bytes == sum(row.bytes for row in growth.rows("class"))
    assert all(row.key.isprintable() for row in growth.rows("path"))
    assert growth.bytes <= path.stat().st_size


TARGETS: dict[str, Target] = {
    "access_line": _line(clf.read_line),
    "haproxy_line": _line(haproxy.read_line),
    "json_line": _line(_json_line),
    "prefixed_line": _line(without_prefix),
    "wrapped_log": _wrapped_log,
    "event_log": _event_log,
    "syslog": _syslog,
    "command_line": _command_line,
    "zope_conf": _file(read_zope_conf, ConfigFileError),
    "zeo_conf": _file(read_zeo_conf, ConfigFileError),
    "wsgi_ini": _file(read_wsgi_ini, ConfigFileError),
    "exporter_yaml": _file(load_config, ConfigError),
    "web_yaml": _file(load_web_config, ConfigError),
    "tokens": _file(TokenFile, ConfigError),
    "authorization": lambda data: _credentials(data.decode("latin-1")),
    "pid_file": _file(process_of, ForeignFileError),
    "lock_file": _file(process_of, ForeignFileError, "Data.fs.lock"),
    "event_format": _event_format,
    "access_format": _access_format,
    "agent_answer": _bytes(_agent_answer, AgentError),
    "zeo_greeting": _zeo(ask_ruok),
    "zeo_order": _zeo(lambda link: Server(link, "1").pack(0.0, 60.0)),
    "zeo_status": _bytes(parse_status, InvalidAnswerError),
    "zeo_monitor": _bytes(lambda data: parse_monitor(data, 1.7e9), InvalidAnswerError),
    "zmi_panel": _text(read_panel, ZmiError),
    "zmi_caches": _text(read_caches, ZmiError),
    "notification": _bytes(_notification, PayloadError, RefusedRequestError),
    "accept_header": _accept,
    "pickles": _bytes(_pickles, ValueError),
    "states": _bytes(state_of, ValueError),
    "dat": _file(read_dat, OSError, f"{STAMP}.dat"),
    "manifest": _file(
        lambda path: read_manifest(path, {}), ChecksumError, f"{STAMP}.manifest", _sealed
    ),
    "verification": _file(read_record, ChecksumError, f"{STAMP}.verified", _sealed),
    "current": _file(read_current, ChecksumError, f"{STAMP}.current", _sealed),
    "index": _file(read_index, FileStorageError),
    "data_fs": _file(walk, FileStorageError),
    "growth": _file(_growth, FileStorageError),
    "data_fs_tail": _file(read_tail, FileStorageError),
    "recover": _file(lambda path: salvage(path, path.with_name("out"), Silent()), FileStorageError),
}
