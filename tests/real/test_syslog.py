"""Syslog from the real senders: what is counted is what was sent, and what is in the log files."""

import logging
import logging.handlers
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.logs.rsyslog import Relay, rsyslog
from tests.support.logs.syslog import Heard, hearing
from tests.support.programs.debian import tool
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.logs.access.counter import AccessCounter
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog.counting import Counters
from zope_exporter.logs.syslog.message import Route, SyslogSettings

LINES = [
    '127.0.0.1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 230',
    '10.0.0.1, 127.0.0.1 - a [22/Nov/2026:10:37:52 +0000] "POST /a HTTP/1.1" 302 - "a"b" "curl"',
    '2001:db8::1 - - [22/Nov/2026:10:37:52 +0000] "GET /gr%C3%BC%C3%9Fe HTTP/1.1" 404 20 "" ""',
]
EVENTS = [
    (logging.INFO, "2026-11-22 10:37:51 INFO [Zope:42][MainThread] All is well"),
    (
        logging.ERROR,
        "2026-11-22 10:37:51,471 ERROR [Zope.SiteErrorLog:238][w-1] 1.2 http://a/\n"
        'Traceback (most recent call last):\n  File "x.py", line 1, in f\nPOSKeyError: 0x12',
    ),
    (logging.CRITICAL, "no format at all\nPOSKeyError: 0x13"),
]
LOCAL0 = logging.handlers.SysLogHandler.LOG_LOCAL0
USER = logging.handlers.SysLogHandler.LOG_USER


@pytest.fixture
def heard() -> Iterator[Heard]:
    with hearing(counters=Counters(AccessCounter(), EventCounter())) as heard:
        yield heard


def of_access(values: dict[str, float]) -> dict[str, float]:
    """What is known of requests, by series without the log."""
    return {
        re.sub("/[^/]*", "", name, count=1): value
        for name, value in values.items()
        if name.startswith("http_") and value
    }


def of_events(values: dict[str, float]) -> dict[str, float]:
    """What is known of events, by series without the log."""
    return {
        re.sub("/[^/]*", "", name, count=1): value
        for name, value in values.items()
        if name.startswith("event_log_") and value
    }


def in_file(log: Path, counter: AccessCounter | EventCounter) -> dict[str, float]:
    """What a counter makes of a log file, by series without the log."""
    counter.feed(log.read_bytes())
    found = {
        "/".join((sample.metric.name.removeprefix("zope_"), *sample.labels[1:])): sample.value
        for sample in counter.samples("", "log")
    }
    return of_access(found) | of_events(found)


ALL_LINES = {
    "http_requests_total/GET/200": 1,
    "http_requests_total/POST/302": 1,
    "http_requests_total/GET/404": 1,
    "http_response_bytes_total": 250,
}
ALL_EVENTS = {
    "event_log_records_total/INFO": 1,
    "event_log_records_total/ERROR": 1,
    "event_log_records_total/CRITICAL": 1,
    "event_log_matches_total/POSKeyError": 2,
}


def emit(address: str | tuple[str, int], facility: int, level: int, text: str) -> None:
    with closing(logging.handlers.SysLogHandler(address, facility)) as handler:
        handler.emit(logging.LogRecord("Zope", level, "", 1, text, None, None))


def emit_all(address: str | tuple[str, int]) -> None:
    for line in LINES:
        emit(address, LOCAL0, logging.INFO, line)
    for level, text in EVENTS:
        emit(address, USER, level, text)


def test_pythons_handler(heard: Heard) -> None:
    emit_all(("127.0.0.1", heard.port))
    values = heard.after(6)
    assert of_access(values) == ALL_LINES
    assert of_events(values) == ALL_EVENTS


@pytest.fixture
def logger() -> str:
    program = shutil.which("logger")
    if program is None:
        pytest.skip("no logger of util-linux on PATH")
    return program


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize("over", ["udp", "unix"])
def test_logger(logger: str, form: str, over: str, tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    listen = f"unix:{path}" if over == "unix" else "udp:127.0.0.1:0"
    counters = Counters(AccessCounter(), EventCounter())
    settings = SyslogSettings(listen, event=Route(tag="zope"))
    with hearing(listen, counters, settings) as heard:
        heard.receiver.bound(30)
        to = ["--socket", str(path)] if over == "unix" else [f"--port={heard.port}", "-n127.0.0.1"]
        send = [logger, form, *to, "--udp" if over == "udp" else "-u"][
            : -1 if over == "unix" else 9
        ]
        for line in LINES:
            subprocess.run([*send, "-tz2", "-plocal0.info", line], check=True, timeout=30)
        traceback = EVENTS[1][1]
        for tag in ("zope", "other"):
            subprocess.run(
                [*send, "-t", tag, "-pdaemon.err"],
                input=traceback,
                text=True,
                check=True,
                timeout=30,
            )
        lines = traceback.count("\n") + 1
        values = heard.after(len(LINES) + 2 * lines)
    assert of_access(values) == ALL_LINES
    assert values["syslog_messages_total/unmatched"] == lines
    assert of_events(values) == {
        "event_log_records_total/ERROR": 1,
        "event_log_matches_total/POSKeyError": 1,
    }


@pytest.mark.parametrize(
    "template",
    ["RSYSLOG_TraditionalForwardFormat", "RSYSLOG_ForwardFormat", "RSYSLOG_SyslogProtocol23Format"],
)
@pytest.mark.parametrize("over", ["udp", "unix"])
def test_rsyslog_forwards(heard: Heard, template: str, over: str, tmp_path: Path) -> None:
    require(tool, "rsyslogd")

    def address(relay: Relay) -> str | tuple[str, int]:
        return str(relay.path) if over == "unix" else ("127.0.0.1", relay.port)

    def ready(relay: Relay) -> bool:
        if over == "udp" or relay.path.exists():
            emit(address(relay), 3, logging.INFO, "are you there?")
        return heard.values()["syslog_messages_total/unmatched"] > 0

    with rsyslog(tmp_path, heard.port, template, ready) as relay:
        emit_all(address(relay))
        eventually(lambda: heard.values()["syslog_messages_total/event"] == len(EVENTS))
        eventually(lambda: heard.values()["syslog_messages_total/access"] == len(LINES))
    values = heard.values()
    assert of_access(values) == ALL_LINES
    assert of_events(values) == ALL_EVENTS


ZOPE_INI = """
[handler_accesssyslog]
class = logging.handlers.SysLogHandler
args = ({address}, 'local0')
level = INFO
formatter = message

[handler_eventsyslog]
class = logging.handlers.SysLogHandler
args = ({address}, 'user')
level = INFO
formatter = generic
"""


def with_handlers(zope: ZopeInstance, address: str) -> None:
    """Let a Zope log to syslog too what it logs to files."""
    ini = zope.zope_ini.read_text()
    for name in ("accesslog", "eventlog"):
        ini = re.sub(
            rf"^((?:keys|handlers) = .*{name})", rf"\1, {name[:-3]}syslog", ini, flags=re.MULTILINE
        )
    ini = ini.replace(
        "keys = console, accesslog, eventlog, eventsyslog",
        "keys = console, accesslog, eventlog, accesssyslog, eventsyslog",
    )
    zope.zope_ini.write_text(ini + ZOPE_INI.format(address=address))


def use(zope: ZopeInstance) -> None:
    """Make it log requests of several kinds and an error."""
    zope.site.commit(["page"])
    zope.site.commit(["boom"], text='<dtml-raise type="ValueError">x</dtml-raise>')
    for path in ("/page", "/nowhere", "/boom", '/page?a="b c"', "/boom"):
        zope.site.get(path)


def caught_up(heard: Heard, zope: ZopeInstance, access: str) -> None:
    """Wait until all that is in the files has come by syslog, and compare."""
    logs = zope.home / ("var/log" if zope.zope_ini.exists() else "log")

    def requests() -> bool:
        # A server logs a request after it has answered: the file may still grow.
        written = in_file(logs / access, AccessCounter())
        return len(written) >= 3 and of_access(heard.values()) == written

    assert eventually(requests)
    events = eventually(
        lambda: of_events(heard.values()) == in_file(logs / "event.log", EventCounter())
    )
    assert events
    assert heard.values()["syslog_dropped_messages_total/buffer"] == 0


@pytest.mark.parametrize("generation", ["zope63", "zope48"])
@pytest.mark.parametrize("over", ["udp", "unix"])
def test_zope_ini_with_pythons_handler(
    generation: str,
    over: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    ending: ExitStack,
) -> None:
    listen = "udp:127.0.0.1:0" if over == "udp" else f"unix:{tmp_path}/log.sock"
    counters = Counters(AccessCounter(), EventCounter())
    zope = ZopeInstance(request.getfixturevalue(generation), tmp_path / "instance")
    with hearing(listen, counters) as heard:
        with_handlers(zope, repr(heard.receiver.bound(30)))
        ending.enter_context(zope)
        use(zope)
        caught_up(heard, zope, "Z4.log")
        assert of_events(heard.values())["event_log_records_total/ERROR"] >= 2
        zope.stop()


ZOPE_CONF = """\
  <syslog>
    address {address}
    facility {facility}
    {format}
  </syslog>
"""


@pytest.mark.parametrize("form", ["", "format %(message)s"], ids=["default", "message"])
@pytest.mark.parametrize("over", ["udp", "unix"])
def test_zope_conf_of_zope_2(
    zope213: Environment, over: str, form: str, tmp_path: Path, ending: ExitStack
) -> None:
    listen = "udp:127.0.0.1:0" if over == "udp" else f"unix:{tmp_path}/log.sock"
    counters = Counters(AccessCounter(), EventCounter())
    zope = ZopeInstance(zope213, tmp_path / "instance")
    with hearing(listen, counters) as heard:
        bound = heard.receiver.bound(30)
        address = bound if isinstance(bound, str) else f"127.0.0.1:{bound[1]}"
        conf = zope.zope_conf.read_text()
        for end, facility in (("</eventlog>", "user"), ("</logger>", "local0")):
            section = ZOPE_CONF.format(address=address, facility=facility, format=form)
            conf = conf.replace(f"\n{end}", f"\n{section}{end}", 1)
        zope.zope_conf.write_text(conf)
        ending.enter_context(zope)
        use(zope)
        caught_up(heard, zope, "Z2.log")
        zope.stop()


def test_the_client_zope_2_itself_comes_with(zope213: Environment, heard: Heard) -> None:
    code = """
import sys
from ZServer.medusa.logger import syslog_logger
import ZServer
for facility, lines in (("local0", sys.argv[2:]), ("user", ["ERROR"])):
    for line in lines:
        syslog_logger(("127.0.0.1", int(sys.argv[1])), facility).log(line)
"""
    python = str(zope213.script("python"))
    subprocess.run([python, "-c", code, str(heard.port), *LINES], check=True, timeout=60)
    values = heard.after(4)
    assert of_access(values) == ALL_LINES
    assert of_events(values) == {"event_log_records_total/INFO": 1}


def test_zeo_conf(zope63: Environment, heard: Heard, tmp_path: Path, ending: ExitStack) -> None:
    zeo = ZeoServer(zope63, tmp_path / "zeo")
    section = f"<syslog>\naddress 127.0.0.1:{heard.port}\n</syslog>\n</eventlog>"
    conf = zeo.zeo_conf.read_text().replace("</eventlog>", section)
    form = "%(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s"
    zeo.zeo_conf.write_text(conf.replace("%(asctime)s %(message)s", form))
    ending.enter_context(zeo)
    zeo.stop()
    sent = in_file(zeo.event_log, EventCounter())
    assert sent["event_log_records_total/INFO"] > 2
    eventually(lambda: of_events(heard.values()) == sent)
