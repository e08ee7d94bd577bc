"""What a Zope's logging really writes is counted once, whichever handlers and files it goes to."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from zope_exporter.config.load import load_config
from zope_exporter.config.log_settings import extra_logs
from zope_exporter.config.search import search
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.logs.tail.sources import log_sources

BEGINNING = """
[app:zope]
use = egg:Zope#main
zope_conf = {home}/etc/zope.conf
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:8080
[filter:translogger]
use = egg:Paste#translogger
setup_console_handler = False
[pipeline:main]
pipeline = translogger egg:Zope#httpexceptions zope
"""
TEXT = """
[formatters]
keys = text, message
[formatter_text]
format = %(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
[formatter_message]
format = %(message)s
"""
JSON = """
[formatters]
keys = text, message
[formatter_text]
class = pythonjsonlogger.json.JsonFormatter
format = %(asctime)s %(name)s %(levelname)s %(message)s %(module)s %(lineno)s %(threadName)s
[formatter_message]
class = pythonjsonlogger.json.JsonFormatter
format = %(asctime)s %(name)s %(levelname)s %(message)s %(module)s %(lineno)s %(threadName)s
"""
LEVEL_LESS = """
[formatters]
keys = text, message
[formatter_text]
format = %(asctime)s - %(message)s
[formatter_message]
format = %(message)s
"""
PAIR = """
[loggers]
keys = root, wsgi, plone, waitress_queue, waitress
[handlers]
keys = console, eventlog, accesslog
[logger_root]
level = INFO
handlers = console, eventlog
[logger_wsgi]
level = INFO
handlers = console, eventlog, accesslog
qualname = wsgi
propagate = 0
[logger_plone]
level = INFO
handlers =
qualname = plone
[logger_waitress_queue]
level = INFO
handlers =
qualname = waitress.queue
[logger_waitress]
level = INFO
handlers =
qualname = waitress
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = text
[handler_eventlog]
class = FileHandler
args = (r'{home}/instance.log', 'a')
kwargs = {{}}
level = NOTSET
formatter = text
[handler_accesslog]
class = FileHandler
args = (r'{home}/instance-access.log', 'a')
kwargs = {{}}
level = INFO
formatter = message
"""
ONE_FILE = """
[loggers]
keys = root, wsgi
[handlers]
keys = all
[logger_root]
level = INFO
handlers = all
[logger_wsgi]
level = INFO
handlers = all
qualname = wsgi
propagate = 0
[handler_all]
class = FileHandler
args = ('{home}/zope.log', 'a')
formatter = text
"""
TWO_FORMATTERS = ONE_FILE.replace("keys = all", "keys = all, plain").replace(
    "handlers = all\nqualname", "handlers = plain\nqualname"
) + ONE_FILE[ONE_FILE.index("[handler_all]") :].replace("_all]", "_plain]").replace(
    "formatter = text", "formatter = message"
)
WAITRESS_ALONE = """
[loggers]
keys = root, waitress, wsgi
[handlers]
keys = console, accesslog, eventlog
[logger_root]
level = INFO
handlers = console
[logger_waitress]
level = INFO
handlers = eventlog
qualname = waitress
[logger_wsgi]
level = INFO
handlers = accesslog
qualname = wsgi
propagate = 0
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = text
[handler_accesslog]
class = FileHandler
args = ("{home}/Z2.log","a")
formatter = message
[handler_eventlog]
class = FileHandler
args = ("{home}/event.log","a")
formatter = text
"""
BY_LEVEL = """
[loggers]
keys = root, wsgi
[handlers]
keys = accesslog, errors, eventlog, memory
[logger_root]
level = INFO
handlers = errors, memory
[logger_wsgi]
handlers = accesslog
qualname = wsgi
propagate = 0
[handler_accesslog]
class = handlers.RotatingFileHandler
args = ("{home}/Z2.log","a",10000000,5)
formatter = message
[handler_errors]
class = FileHandler
level = ERROR
args = ("{home}/errors.log","a")
formatter = text
[handler_memory]
class = logging.handlers.MemoryHandler
args = (100,)
target = eventlog
[handler_eventlog]
class = logging.handlers.TimedRotatingFileHandler
args = ("{home}/event.log","midnight",1,14)
formatter = text
"""
# Three records of Zope, and two requests, one of them for what a pattern looks for.
EMIT = """
import logging, logging.config, sys
logging.config.fileConfig(sys.argv[1], disable_existing_loggers=False)
logging.getLogger("Zope").info("Ready to handle requests")
request = '127.0.0.1 - - [29/Nov/2026:20:10:00 +0000] "%s HTTP/1.1" %d 5 "-" "curl"'
wsgi = logging.getLogger("wsgi")
wsgi.warning(request, "GET /ConflictError", 200)
wsgi.warning(request, "POST /b", 500)
try:
    raise KeyError("POSKeyError 0x01")
except KeyError:
    logging.getLogger("waitress").exception("Exception while serving /b")
logging.getLogger("ZODB.DB").warning("DB.open() has 9 open connections with a pool_size of 7")
logging.shutdown()
"""
ALL_MATCHES = {"started": 1, "unhandled_exception": 1, "POSKeyError": 1, "pool_size": 1}
SERVED = {"GET 200": 1, "POST 500": 1}


class Expected(NamedTuple):
    records: dict[str, int]
    matches: dict[str, int] = ALL_MATCHES
    requests: dict[str, int] = SERVED


ALL = Expected({"INFO": 1, "WARNING": 1, "ERROR": 1})
WITH_REQUESTS = Expected({"INFO": 1, "WARNING": 3, "ERROR": 1})


def counted(home: Path, site: str) -> tuple[Expected, int]:
    """What of each kind the logs of a site give together, and how many lines are unparsed."""
    path = home / "config.yaml"
    path.write_text(f"state_dir: {home}/state\ndiscover: false\nsites:\n  - name: s\n{site}")
    config = load_config(path)
    totals = {metric: Counter[str]() for metric in (RECORDS, MATCHES, REQUESTS, UNPARSED_LINES)}
    for source in log_sources(search(config, 30), extra_logs(config)):
        counter = CounterMaker({}).of_file(source)
        counter.feed(source.path.read_bytes())
        for sample in counter.samples(source.site, source.log):
            if sample.metric in totals and sample.value:
                totals[sample.metric][" ".join(sample.labels[2:])] += int(sample.value)
    found = (dict(totals[metric]) for metric in (RECORDS, MATCHES, REQUESTS))
    return Expected(*found), totals[UNPARSED_LINES].total()


def home_with(tmp_path: Path, logging: str) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/zope.conf").write_text(f"instancehome {tmp_path}\n")
    ini = tmp_path / "etc/zope.ini"
    ini.write_text((BEGINNING + logging).format(home=tmp_path))
    subprocess.run([sys.executable, "-c", EMIT, ini], check=True, timeout=60, capture_output=True)
    return tmp_path


@pytest.mark.parametrize(
    ("logging", "expected"),
    [
        pytest.param(PAIR + TEXT, WITH_REQUESTS, id="cookiecutter"),
        pytest.param(PAIR + JSON, WITH_REQUESTS, id="cookiecutter in JSON"),
        pytest.param(PAIR + LEVEL_LESS, Expected({"other": 5}), id="without levels"),
        pytest.param(ONE_FILE + TEXT, WITH_REQUESTS, id="one file"),
        pytest.param(ONE_FILE + JSON, WITH_REQUESTS, id="one file in JSON"),
        pytest.param(ONE_FILE + LEVEL_LESS, Expected({"other": 5}), id="one file without levels"),
        pytest.param(TWO_FORMATTERS + TEXT, ALL, id="one file in two formats"),
        pytest.param(WAITRESS_ALONE + TEXT, Expected(
            {"ERROR": 1}, {"unhandled_exception": 1, "POSKeyError": 1}
        ), id="waitress alone"),
        pytest.param(BY_LEVEL + TEXT, ALL, id="by level, in memory"),
    ],
)  # fmt: skip
def test_what_is_logged_is_counted_once(tmp_path: Path, logging: str, expected: Expected) -> None:
    home = home_with(tmp_path, logging)
    instances = "    instances: [{wsgi_ini: etc/zope.ini, name: z}]\n"
    assert counted(home, instances) == (expected, 0)


def test_the_two_logs_of_a_container_are_one_file_given_twice(tmp_path: Path) -> None:
    home = home_with(tmp_path, TWO_FORMATTERS + TEXT)
    both = "    logs: {access: [zope.log], event: [zope.log]}\n"
    assert counted(home, both) == (ALL, 0)


@pytest.mark.parametrize("given", ["access", "event"])
def test_one_kind_given_by_hand_leaves_the_other(tmp_path: Path, given: str) -> None:
    home = home_with(tmp_path, ONE_FILE + TEXT)
    site = "    instances: [{wsgi_ini: etc/zope.ini, name: z}]\n"
    assert counted(home, f"{site}    logs: {{{given}: [zope.log]}}\n") == (WITH_REQUESTS, 0)


def test_the_format_of_translogger_is_found(tmp_path: Path) -> None:
    own = "[filter:translogger]\nformat = %%(REMOTE_ADDR)s %%(REQUEST_METHOD)s %%(status)s"
    home = home_with(tmp_path, BY_LEVEL + TEXT)
    ini = home / "etc/zope.ini"
    ini.write_text(ini.read_text().replace("[filter:translogger]", own))
    (home / "Z2.log").write_bytes(b"10.0.0.1 GET 200\n10.0.0.1 POST 500\n")
    instances = "    instances: [{wsgi_ini: etc/zope.ini, name: z}]\n"
    assert counted(home, instances) == (ALL, 0)


def test_a_format_that_cannot_be_read_is_no_reason_to_stop(tmp_path: Path) -> None:
    own = "[filter:translogger]\nformat = %%(REMOTE_ADDR)s"
    home = home_with(tmp_path, BY_LEVEL + TEXT)
    ini = home / "etc/zope.ini"
    ini.write_text(ini.read_text().replace("[filter:translogger]", own))
    instances = "    instances: [{wsgi_ini: etc/zope.ini, name: z}]\n"
    assert counted(home, instances) == (ALL, 0)


ZEO_LOG = b"""\
2024-03-04T10:00:00 opening storage '1' using FileStorage
2024-03-04T10:00:01 StorageServer created RW with storages: 1:RW:/srv/zeo/Data.fs
2024-03-04T11:00:00 Transaction timeout after 30 seconds
2024-03-04T11:00:00 (127.0.0.1:50310) disconnected during locked transaction
"""
ZEO_LOG_WITH_LEVEL = b"""\
2024-03-04 10:00:00,123 INFO ZEO.runzeo (4711) opening storage '1' using FileStorage
2024-03-04 10:05:01,201 CRITICAL ZEO.StorageServer Transaction timeout after 30 seconds
"""


@pytest.mark.parametrize(
    ("form", "log", "records"),
    [
        ("%(asctime)s %(message)s", ZEO_LOG, {"other": 4}),
        ("%(asctime)s %(levelname)s %(message)s", ZEO_LOG_WITH_LEVEL, {"INFO": 1, "CRITICAL": 1}),
        ("%(message)s", ZEO_LOG, {}),
    ],
)
def test_the_format_of_zeo_conf(
    tmp_path: Path, form: str, log: bytes, records: dict[str, int]
) -> None:
    (tmp_path / "zeo.conf").write_text(
        "<zeo>\n  address 127.0.0.1:8100\n</zeo>\n<filestorage 1>\n  path Data.fs\n</filestorage>\n"
        f"<eventlog>\n  <logfile>\n    path {tmp_path}/zeo.log\n    format {form}\n"
        "    level info\n  </logfile>\n"
        f"  <logfile>\n    path {tmp_path}/errors.log\n    level error\n  </logfile>\n</eventlog>\n"
    )
    (tmp_path / "zeo.log").write_bytes(log)
    expected = Expected(records, {"transaction_timeout": 1}, {})
    assert counted(tmp_path, "    zeo: [{conf: zeo.conf}]\n") == (expected, 0)
