"""The handlers of zope.ini as generators of Plone 6 lay them out, with a real Zope that logs."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import pythonjsonlogger

from tests.support.programs.exporter import Page, serving
from tests.support.programs.processes import eventually
from tests.support.zeo.clients import ZeoClient
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance

TEXT = """\
format = %(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
"""
JSON = """\
class = pythonjsonlogger.json.JsonFormatter
format = %(asctime)s %(name)s %(levelname)s %(message)s %(module)s %(lineno)s %(threadName)s
"""
MESSAGE = "format = %(message)s\n"
# Requests go to the event log as well as to a log of their own.
PAIR = """
[loggers]
keys = root, wsgi, waitress
[handlers]
keys = console, eventlog, accesslog
[formatters]
keys = full, request
[logger_root]
level = INFO
handlers = console, eventlog
[logger_wsgi]
level = INFO
handlers = console, eventlog, accesslog
qualname = wsgi
propagate = 0
[logger_waitress]
level = INFO
handlers =
qualname = waitress
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = full
[handler_eventlog]
class = FileHandler
args = (r'%(here)s/../var/log/instance.log', 'a')
kwargs = {}
level = NOTSET
formatter = full
[handler_accesslog]
class = FileHandler
args = (r'%(here)s/../var/log/instance-access.log', 'a')
kwargs = {}
level = INFO
formatter = request
"""
ONE_FILE = PAIR.replace(", accesslog", "")


def with_handlers(zope: ZopeInstance, handlers: str, full: str, request: str) -> None:
    served, _, _ = zope.zope_ini.read_text().partition("[loggers]")
    # The errors that Zope answers are seen inside of what answers them only.
    served = served.replace("egg:Zope#httpexceptions\n    translogger", "translogger\n    EGG")
    served = served.replace("EGG", "egg:Zope#httpexceptions")
    formatters = f"[formatter_full]\n{full}[formatter_request]\n{request}"
    zope.zope_ini.write_text(served + handlers + formatters)


def total(page: Page, metric: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(value for found, value in page[metric].items() if wanted <= found)


@pytest.mark.parametrize(
    ("handlers", "full", "request_format"),
    [
        pytest.param(PAIR, TEXT, MESSAGE, id="text"),
        pytest.param(PAIR, JSON, JSON, id="json"),
        pytest.param(ONE_FILE, TEXT, MESSAGE, id="one file"),
        pytest.param(ONE_FILE, JSON, JSON, id="one file in json"),
    ],
)
def test_what_a_zope_logs_is_counted(
    zope63: Environment,
    ending: ExitStack,
    tmp_path: Path,
    handlers: str,
    full: str,
    request_format: str,
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "pythonjsonlogger").symlink_to(Path(pythonjsonlogger.__file__).parent)
    zope = ZopeInstance(zope63, tmp_path / "handlers", environ={"PYTHONPATH": str(library)})
    with_handlers(zope, handlers, full, request_format)
    ending.enter_context(zope)
    form = {"id": "boom", "title": "", "file": '<dtml-var "nothing[1]">'}
    add = "/manage_addProduct/OFSP/manage_addDTMLMethod"
    assert zope.site.post(add, form).status_code in (200, 302)
    config = tmp_path / "zope-exporter.yml"
    config.write_text(
        f"discover: false\nsites: [{{name: s, instances: [{{wsgi_ini: {zope.zope_ini}}}],"
        # No probe of ours is to be among the requests.
        " ping: [{name: nothing, url: 'http://127.0.0.1:1/'}]}]\n"
    )
    flags = ("--config.file", config)
    with serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter:
        eventually(lambda: len(exporter.page().get("zope_log_size_bytes", {})) == 2)
        before = exporter.page()
        assert [zope.site.get(path).status_code for path in ("/", "/nope", "/boom")] == [
            200,
            404,
            500,
        ]

        def grown(metric: str, **labels: str) -> float:
            page = exporter.page()
            return total(page, metric, **labels) - total(before, metric, **labels)

        # Both SiteErrorLog and waitress tell of the exception.
        eventually(lambda: grown("zope_event_log_records_total", severity="ERROR") == 2)
        # Others on this host may ask for its root, but for nothing else.
        assert grown("zope_http_requests_total", method="GET", code="200") >= 1
        assert grown("zope_http_requests_total", code="404") == 1
        assert grown("zope_http_requests_total", code="500") == 0  # translogger never saw it
        assert grown("zope_event_log_records_total", severity="INFO") >= 2
        assert grown("zope_event_log_matches_total", pattern="unhandled_exception") == 1
        assert total(exporter.page(), "zope_log_unparsed_lines_total") == 0
        assert len(exporter.page()["zope_log_size_bytes"]) == 2


def test_a_transaction_that_times_out_is_seen_in_the_log_of_a_zeo_server(
    zope63: Environment, start_zeo: Callable[..., ZeoServer], ending: ExitStack, tmp_path: Path
) -> None:
    zeo = start_zeo(zope63, settings="transaction-timeout 1")
    config = tmp_path / "zope-exporter.yml"
    config.write_text(f"discover: false\nsites: [{{name: s, zeo: [{{conf: {zeo.zeo_conf}}}]}}]\n")
    flags = ("--config.file", config)
    with serving(tmp_path / "state", *flags, log=tmp_path / "exporter.log") as exporter:

        def timeouts() -> list[float]:
            series = exporter.page().get("zope_event_log_matches_total", {}).items()
            wanted = ("pattern", "transaction_timeout")
            return [value for labels, value in series if wanted in labels]

        eventually(lambda: timeouts() == [0])
        client = ending.enter_context(ZeoClient(zeo))
        client.tell("vote")
        client.hear("voting")
        client.hear("vote")
        eventually(lambda: timeouts() == [1])
        page = exporter.page()
        assert total(page, "zope_event_log_records_total", severity="other") > 0
        assert total(page, "zope_log_unparsed_lines_total") == 0
