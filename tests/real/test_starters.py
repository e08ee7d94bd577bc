"""Zope behind other servers than waitress: found, and measured with all of its processes."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.logs.unfollowed import no_logs
from tests.support.programs.processes import eventually
from tests.support.programs.require import require
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.embedded import EmbeddedZope
from tests.support.zopes.environments import Environment, environment
from tests.support.zopes.served import ServedZope
from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.site import judge
from zope_exporter.collectors.agent import UP as AGENT_UP
from zope_exporter.collectors.agent import AgentCollector
from zope_exporter.collectors.ping import PingCollector
from zope_exporter.collectors.process import CPU, RESIDENT, WORKERS, ProcessCollector
from zope_exporter.discovery.inventory import Inventory, Service
from zope_exporter.discovery.memory import Memory
from zope_exporter.discovery.survey import Survey
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry, Scrape

StartZeo = Callable[..., ZeoServer]
StartServed = Callable[..., ServedZope]


@pytest.fixture(scope="session")
def servers(add_agent: Callable[[Environment], Environment]) -> Environment:
    return add_agent(require(environment, "servers"))


@pytest.fixture
def start(servers: Environment, tmp_path: Path, ending: ExitStack) -> StartServed:
    def start(program: str, arguments: Sequence[str], **options: Any) -> ServedZope:
        zope = ServedZope(
            servers, tmp_path / "shop", program=program, arguments=arguments, **options
        )
        ending.enter_context(zope)
        return zope

    return start


def inventory(zope: ServedZope) -> Inventory:
    """What is found of a Zope on this host, where others may run beside it."""
    found = Survey(Memory(None))()
    own = [site for site in found.sites if any(each.home == zope.home for each in site.services)]
    return Inventory(tuple(own))


def only(found: Inventory) -> Service:
    ((_, service),) = found.zopes()
    return service


def scrape(found: Inventory) -> Scrape:
    process = ProcessCollector(lambda: found, lambda: found)
    registry = Registry(
        [process, PingCollector(lambda: found), AgentCollector(lambda: found, no_logs())]
    )
    return registry.scrape(60)


def values(scrape: Scrape, metric: Metric) -> dict[str, float]:
    """The values of a metric by the label `zope`."""
    samples = [sample for sample in scrape.samples if sample.metric == metric]
    zope = metric.labels.index("zope")
    return {sample.labels[zope]: sample.value for sample in samples}


def spent(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


GUNICORN = ["-w", "1", "--threads", "4", "-b", "ADDRESS", "--pid", "PID"]


@pytest.mark.parametrize(
    ("program", "arguments", "options"),
    [
        ("gunicorn", [*GUNICORN, "--paste", "INI"], {}),
        ("gunicorn", [*GUNICORN, "served_zope:application"], {}),
        ("uvicorn", ["--port", "PORT", "served_zope:application"], {"asgi": True}),
        ("waitress-serve", ["--listen", "ADDRESS", "served_zope:application"], {}),
    ],
    ids=["gunicorn with zope.ini", "gunicorn", "uvicorn with a2wsgi", "waitress-serve"],
)
def test_it_is_found_probed_and_measured_where_it_works(
    start: StartServed, program: str, arguments: list[str], options: dict[str, bool]
) -> None:
    zope = start(program, arguments, **options)
    found = inventory(zope)
    service = only(found)
    has_master = program == "gunicorn"
    workers = psutil.Process(zope.pid).children() if has_master else []
    assert [process.pid for process in service.processes] == [
        zope.pid,
        *(worker.pid for worker in workers),
    ]
    assert service.config == zope.zope_conf
    assert bool(service.wsgi_ini) == ("INI" in arguments)
    assert service.urls == (f"http://127.0.0.1:{zope.port}",)
    ((_, storage),) = found.storages()
    assert storage.data_fs == zope.home / "var/Data.fs"
    measured = scrape(found)
    # A Zope is loaded in more than a second; the master of gunicorn has loaded none.
    assert values(measured, CPU)["shop"] >= sum(spent(worker.pid) for worker in workers)
    assert values(measured, WORKERS) == ({"shop": 1} if has_master else {})
    assert values(measured, AGENT_UP) == {"shop": 1}
    findings = judge(found, measured, read_limits())
    assert [each for each in findings if each.severity is Severity.CRITICAL] == []


@pytest.mark.parametrize("program", ["uwsgi", "apache2"])
def test_within_what_is_no_python_it_is_found_and_measured(
    servers: Environment,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    ending: ExitStack,
    program: str,
) -> None:
    sockets = tmp_path_factory.mktemp("s")
    zope = require(EmbeddedZope, servers, tmp_path / "shop", program=program, sockets=sockets)
    ending.enter_context(zope)
    found = inventory(zope)
    service = only(found)
    data_fs = zope.home / "var/Data.fs"
    children = psutil.Process(zope.pid).children()
    assert service.problems == ()
    [worker] = [child for child in children if str(data_fs) in (f.path for f in child.open_files())]
    assert worker.pid in {process.pid for process in service.processes}
    ((_, storage),) = found.storages()
    assert storage.data_fs == data_fs
    measured = scrape(found)
    assert values(measured, CPU)["shop"] >= spent(worker.pid) / 2
    assert values(measured, AGENT_UP) == {"shop": 1}
    findings = judge(found, measured, read_limits())
    assert [each for each in findings if each.severity is Severity.CRITICAL] == []


def test_workers_that_share_a_zeo_server_are_summed_and_their_agents_told_apart(
    servers: Environment, start: StartServed, start_zeo: StartZeo, tmp_path: Path
) -> None:
    zeo = start_zeo(servers)
    arguments = ["-w", "2", "--threads", "2", "-b", "ADDRESS", "served_zope:application"]
    # Two that find an empty database both make its root, and the later one ends with a conflict.
    single = ["-w", "1", *arguments[2:]]
    alone = ServedZope(
        servers, tmp_path / "alone", storage=zeo.client(), program="gunicorn", arguments=single
    )
    with alone:
        pass
    zope = start("gunicorn", arguments, storage=zeo.client())
    # The second worker may still be on its way.
    found = eventually(
        lambda: (
            (now := inventory(zope)).sites
            and len(list((zope.home / "var").glob("zope-exporter-*.sock"))) == 2
            and now
        )
    )
    assert found
    service = only(found)
    workers = psutil.Process(zope.pid).children()
    assert {worker.process.pid for worker in service.workers} == {each.pid for each in workers}
    measured = scrape(found)
    assert values(measured, WORKERS) == {"shop": 2}
    assert values(measured, AGENT_UP) == {"shop-1": 1, "shop-2": 1}
    master = psutil.Process(zope.pid).memory_info().rss
    assert values(measured, RESIDENT)["shop"] > 2 * master

    first = service.workers[0].process
    psutil.Process(first.pid).kill()
    eventually(lambda: first.pid not in {each.pid for each in psutil.Process(zope.pid).children()})
    assert values(scrape(found), CPU)["shop"] >= values(measured, CPU)["shop"]
