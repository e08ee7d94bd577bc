import pytest

from tests.support.programs.children import WAIT, as_known, child, lines_until_ready
from zope_exporter.discovery.inventory import Process, Service, Worker
from zope_exporter.discovery.listeners import listeners
from zope_exporter.discovery.workers import (
    Workers,
    has_workers,
    is_worker,
    master_of,
    may_be_server,
    workers_of,
)

GUNICORN = ["/srv/bin/python3", "/srv/bin/gunicorn", "-w", "2", "--paste", "zope.ini"]
TITLED = ["gunicorn: master [zope.ini]"]
UVICORN = ["/srv/bin/python3", "-m", "uvicorn", "--workers", "2", "shop:application"]
UWSGI = ["/usr/bin/uwsgi", "--ini", "uwsgi.ini"]
RUNWSGI = ["/srv/bin/python3", "/srv/bin/runwsgi", "zope.ini"]
SPAWNED = ["/srv/bin/python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"]
TRACKER = ["/srv/bin/python3", "-c", "from multiprocessing.resource_tracker import main;main(4)"]


@pytest.mark.parametrize("argv", [GUNICORN, TITLED, UVICORN, UWSGI])
def test_servers_with_workers_are_known_by_their_command_lines(argv: list[str]) -> None:
    assert has_workers(argv)
    assert may_be_server(argv)


@pytest.mark.parametrize("argv", [[], RUNWSGI, ["vim", "gunicorn"], ["gunicorn: worker [x]"]])
def test_other_processes_are_no_masters(argv: list[str]) -> None:
    assert not has_workers(argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python3", "serve_zope.py"], True),
        (["gunicorn: worker [/srv/etc/zope.ini]"], True),
        (["/usr/sbin/apache2", "-k", "start"], True),
        (["(wsgi:zope)", "-k", "start"], True),
        (["/usr/sbin/nginx"], False),
        ([], False),
    ],
)
def test_only_what_may_run_python_is_looked_into(argv: list[str], expected: bool) -> None:
    assert may_be_server(argv) is expected


@pytest.mark.parametrize(
    ("argv", "master", "expected"),
    [
        (GUNICORN, GUNICORN, True),
        (["gunicorn: worker [zope.ini]"], TITLED, True),
        (SPAWNED, UVICORN, True),
        (TRACKER, UVICORN, False),
        (["/bin/sh", "-c", "convert"], GUNICORN, False),
        ([], GUNICORN, False),
    ],
)
def test_workers_are_told_from_helpers(argv: list[str], master: list[str], expected: bool) -> None:
    assert is_worker(argv, master) is expected


FORKING = f"""
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
six = socket.create_server(("::1", 0), family=socket.AF_INET6)
socket.socket(socket.AF_INET).bind(("127.0.0.1", 0))
for _ in range(2):
    if not os.fork():
        sys.stdin.read()
        os._exit(0)
print(listener.getsockname()[1], six.getsockname()[1])
{WAIT}
"""


def test_a_process_that_is_no_server_has_no_workers() -> None:
    with child(FORKING) as running:
        lines_until_ready(running)
        process = as_known(running.pid)
        assert workers_of(process) == ()
        assert master_of(running.pid) is None


def test_listeners_are_those_of_the_process() -> None:
    with child(FORKING) as running:
        (ports,) = lines_until_ready(running)
        four, six = ports.split()
        assert set(listeners(running.pid)) == {f"127.0.0.1:{four}", f"[::1]:{six}"}
    assert listeners(running.pid) == ()


def test_workers_keep_their_numbers_while_they_live() -> None:
    master, *workers = (Process(4_000_000 + number, float(number)) for number in range(5))
    first, second, third, fourth = workers
    lives = [second, first]
    known = Workers(lambda _: lives)
    service = Service("zope", "shop", None, process=master)
    assert known.of(service).workers == (Worker(1, first), Worker(2, second))
    lives[:] = [third, second]  # the first was replaced
    assert known.of(service).workers == (Worker(1, third), Worker(2, second))
    lives[:] = [third]
    assert known.of(service, also=[fourth]).workers == (Worker(1, third), Worker(2, fourth))
    known.drop_unused()
    known.drop_unused()  # nobody asked since
    lives[:] = [second]
    assert known.of(service).workers == (Worker(1, second),)
    assert known.of(Service("zope", "shop", None)).workers == ()


def test_one_worker_is_the_service_and_several_are_told_apart() -> None:
    master, first, second = (Process(4_000_000 + number, 1.0) for number in range(3))
    service = Service("zope", "shop", None, process=master)
    assert service.apart() == (service,)
    one = Service("zope", "shop", None, process=master, workers=(Worker(1, first),))
    assert [(each.name, each.process) for each in one.apart()] == [("shop", first)]
    assert one.processes == (master, first)
    two = Service(
        "zope", "shop", None, process=master, workers=(Worker(1, first), Worker(3, second))
    )
    assert [(each.name, each.process) for each in two.apart()] == [
        ("shop-1", first),
        ("shop-3", second),
    ]
