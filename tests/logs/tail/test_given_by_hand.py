"""What a person writes into the configuration outranks what is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zope_exporter.config.load import load_config
from zope_exporter.config.log_settings import extra_logs
from zope_exporter.config.search import search
from zope_exporter.discovery.inventory import Inventory, Service
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.event.counter import RECORDS
from zope_exporter.logs.tail.sources import LogSource, log_sources

ZOPE_INI = """
[app:zope]
use = egg:Zope#main
zope_conf = {home}/etc/zope.conf
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:8080
[filter:translogger]
use = egg:Paste#translogger
logger_name = access
format = %(HTTP_X_FORWARDED_FOR)s %(REQUEST_METHOD)s %(REQUEST_URI)s %(status)s %(bytes)s
[pipeline:main]
pipeline = translogger egg:Zope#httpexceptions zope
[formatters]
keys = generic, message
[formatter_generic]
format = %(asctime)s %(message)s
[formatter_message]
format = %(message)s
[loggers]
keys = root, access
[handlers]
keys = eventlog, accesslog
[logger_root]
handlers = eventlog
[handler_eventlog]
class = FileHandler
args = ("{home}/log/event.log",)
formatter = generic
[logger_access]
handlers = accesslog
qualname = access
[handler_accesslog]
class = FileHandler
args = ("{home}/log/Z2.log",)
formatter = message
"""
ZOPE_CONF = """
instancehome {home}
pid-filename {home}/found.pid
<zodb_db main>
  mount-point /
  <blobstorage>
    blob-dir {home}/found-blobs
    <filestorage>
      path {home}/found.fs
    </filestorage>
  </blobstorage>
</zodb_db>
"""
ZEO_CONF = """
<zeo>
  address 127.0.0.1:8100
  monitor-address 127.0.0.1:8101
</zeo>
<filestorage 1>
  path {home}/found.fs
</filestorage>
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    files = {"zope.ini": ZOPE_INI, "zope.conf": ZOPE_CONF, "zeo.conf": ZEO_CONF}
    for name, text in files.items():
        (tmp_path / "etc" / name).write_text(text.format(home=tmp_path))
    return tmp_path


def found(home: Path, site: str) -> tuple[Inventory, list[LogSource]]:
    path = home / "config.yaml"
    path.write_text(f"state_dir: {home}/state\ndiscover: false\nsites:\n  - name: s\n{site}")
    config = load_config(path)
    inventory = search(config, 30)
    return inventory, log_sources(inventory, extra_logs(config))


def test_the_format_of_a_log_that_is_found(home: Path) -> None:
    (home / "logs").symlink_to("log")
    _, sources = found(
        home,
        "    instances: [{wsgi_ini: etc/zope.ini, name: z}]\n"
        "    logs:\n"
        '      access: [{path: logs/Z2.log, format: "%{X-Forwarded-For}i %m %U %>s %b"}]\n'
        '      event: [{path: log/../log/event.log, format: "%(levelname)s %(message)s"}]\n',
    )
    (home / "log").mkdir()
    counters = [CounterMaker({}).of_file(source) for source in sources]
    counters[0].feed(b"10.0.0.1 GET /a 200 5\n10.0.0.2 POST /b 500 7\n")
    counters[1].feed(b"ERROR x\nINFO y\nERROR z\n")
    samples = {
        sample.labels: sample.value
        for source, counter in zip(sources, counters, strict=True)
        for sample in counter.samples(source.site, source.log)
        if sample.metric in (REQUESTS, RECORDS) and sample.value
    }
    assert samples == {
        ("s", "z-access", "GET", "200"): 1,
        ("s", "z-access", "POST", "500"): 1,
        ("s", "z-event", "ERROR"): 2,
        ("s", "z-event", "INFO"): 1,
    }


@pytest.mark.parametrize(
    ("key", "value", "taken"),
    [
        ("data_fs", "by-hand.fs", lambda zope: zope.databases[0].data_fs),
        ("blob_dir", "by-hand", lambda zope: zope.databases[0].blob_dir),
        ("access_log", "by-hand.log", lambda zope: zope.access_log),
        ("event_log", "by-hand.log", lambda zope: zope.event_log),
        ("pid_file", "by-hand.pid", lambda zope: zope.pid_file),
        ("agent", "unix:{home}/agent.sock", lambda zope: zope.agent_socket),
        ("name", "by-hand", lambda zope: zope.name),
    ],
)
def test_each_key_of_an_instance(
    home: Path, key: str, value: str, taken: Callable[[Service], object]
) -> None:
    inventory, _ = found(
        home,
        f"    instances: [{{wsgi_ini: etc/zope.ini, {key}: '{value.format(home=home)}'}}]\n",
    )
    (zope,) = inventory.sites[0].services
    wanted = value.format(home=home).removeprefix("unix:")
    assert str(taken(zope)) in (wanted, str(home / wanted))


@pytest.mark.parametrize(
    ("key", "value", "taken"),
    [
        ("address", "127.0.0.1:9100", lambda zeo: zeo.address),
        ("monitor_address", "127.0.0.1:9101", lambda zeo: zeo.monitor_address),
    ],
)
def test_each_key_of_a_zeo_server(
    home: Path, key: str, value: str, taken: Callable[[Service], object]
) -> None:
    inventory, _ = found(home, f"    zeo: [{{conf: etc/zeo.conf, {key}: '{value}'}}]\n")
    (zeo,) = inventory.sites[0].services
    assert taken(zeo) == value


def test_targets_by_hand_are_all_that_is_probed(home: Path) -> None:
    inventory, _ = found(
        home,
        "    instances: [{wsgi_ini: etc/zope.ini}]\n"
        "    ping: [{name: home, url: 'http://127.0.0.1:1/'}]\n",
    )
    assert [target.url for target in inventory.sites[0].targets] == ["http://127.0.0.1:1/"]
