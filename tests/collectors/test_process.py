import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.support.programs.children import WAIT, as_known, child, lines_until_ready
from tests.support.programs.processes import eventually
from zope_exporter.collectors.process import ProcessCollector
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site, Worker
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")

BUSY = f"""
import resource, tempfile, threading, time
resource.setrlimit(resource.RLIMIT_NOFILE, (500, 600))
files = [tempfile.TemporaryFile() for _ in range(30)]
idle = threading.Event()
for _ in range(2):
    threading.Thread(target=idle.wait, daemon=True).start()
while time.process_time() < 0.2:
    pass
print(time.process_time())
{WAIT}
"""

PARENT = f"""
import os, time
pid = os.fork()
if not pid:
    while os.times().user < 0.3:
        sum(range(10_000))
    os._exit(0)
os.waitpid(pid, 0)
print(time.process_time())
{WAIT}
"""

NO_FILES = """
import os, signal
print("ready", flush=True)
os.closerange(0, 256)
signal.pause()
"""

STRANGER = """
import json, os, psutil, sys
from zope_exporter.collectors.process import ProcessCollector
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.metrics.registry import Registry
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
pid = int(sys.argv[1])
known = Process(pid, psutil.Process(pid).create_time())
service = Service("zope", "one", None, process=known)
inventory = Inventory((Site("intranet", (service,)),))
scrape = Registry([ProcessCollector(lambda: inventory, lambda: inventory)]).scrape(30)
names = [sample.metric.name for sample in scrape.samples]
print(json.dumps({"names": names, "failures": [str(failure) for failure in scrape.failures]}))
print("ready")
"""


MASTER = f"""
import os, signal, time
def serve():
    files = [open("/dev/null") for _ in range(20)]
    while time.process_time() < 0.2:
        pass
    os.write(ready, b"x")
    signal.pause()
waits, ready = os.pipe()
for _ in range(2):
    if not os.fork():
        serve()
os.read(waits, 1), os.read(waits, 1)
{WAIT}
"""


def inventory(*workers: Process, **processes: Process | None) -> Inventory:
    """Services by their names; the first of them has these workers."""
    services = [
        Service("zeo" if name == "zeo" else "zope", name, Path("etc/zope.conf"), process=process)
        for name, process in processes.items()
    ]
    numbered = tuple(Worker(number, worker) for number, worker in enumerate(workers, 1))
    services[0] = replace(services[0], workers=numbered)
    return Inventory((Site("intranet", tuple(services)),))


def scrape(found: Inventory, rescan: Callable[[], Inventory], timeout: float = 30) -> Scrape:
    return Registry([ProcessCollector(lambda: found, rescan)]).scrape(timeout)


def must_not_rescan() -> Inventory:
    raise AssertionError("nothing had changed")


def values(samples: list[Sample], zope: str = "one") -> dict[str, float]:
    return {
        sample.metric.name.removeprefix("zope_process_"): sample.value
        for sample in samples
        if sample.labels == ("intranet", zope)
    }


@pytest.fixture
def busy() -> Iterator[tuple[Process, float]]:
    with child(BUSY) as running:
        (seconds,) = lines_until_ready(running)
        yield as_known(running.pid), float(seconds)


def test_running_process(busy: tuple[Process, float]) -> None:
    process, cpu_seconds = busy
    found = scrape(inventory(one=process), must_not_rescan)
    assert found.failures == []
    one = values(found.samples)
    assert one["up"] == 1
    assert one["start_time_seconds"] == process.start_time
    assert cpu_seconds - 0.03 < one["cpu_seconds_total"] < cpu_seconds + 0.1
    assert one["threads"] == 3
    assert one["open_fds"] == psutil.Process(process.pid).num_fds() > 30
    assert one["max_fds"] == 500
    resident = psutil.Process(process.pid).memory_info().rss
    # The kernel adds up per-processor counts only now and then.
    assert one["resident_memory_bytes"] == pytest.approx(resident, rel=0.2)


def test_time_of_children_is_not_counted() -> None:
    with child(PARENT) as running:
        (seconds,) = lines_until_ready(running)
        found = scrape(inventory(one=as_known(running.pid)), must_not_rescan)
    assert values(found.samples)["cpu_seconds_total"] < float(seconds) + 0.1


def test_workers_are_measured_with_their_master() -> None:
    with child(MASTER) as running:
        lines_until_ready(running)
        master = as_known(running.pid)
        children = psutil.Process(running.pid).children()
        workers = [as_known(worker.pid) for worker in children]
        found = inventory(*workers, one=master)
        collector = ProcessCollector(lambda: found, must_not_rescan)
        before = values(Registry([collector]).scrape(30).samples)
        assert before["workers"] == 2
        assert before["cpu_seconds_total"] > 0.35  # of which the master has none
        assert before["threads"] == 3
        assert before["open_fds"] == children[0].num_fds() > 20
        assert before["start_time_seconds"] == master.start_time
        alone = values(scrape(inventory(one=master), must_not_rescan).samples)
        assert before["resident_memory_bytes"] > 1.5 * alone["resident_memory_bytes"]

        children[0].kill()
        ended = eventually(lambda: children[0].status() == psutil.STATUS_ZOMBIE)
        after = values(Registry([collector]).scrape(30).samples)
        children[1].kill()
    assert ended
    assert after["workers"] == 1
    assert after["threads"] == 2


def test_the_time_of_workers_that_ended_stays_counted() -> None:
    with child(PARENT) as running:
        lines_until_ready(running)
        master = as_known(running.pid)
        gone = Process(4_000_000, 1.0)  # whose time its master has from the kernel by now
        found = [inventory(gone, one=master)]
        collector = ProcessCollector(lambda: found[0], must_not_rescan)
        for known in (found[0], inventory(one=master)):
            found[0] = known
            now = values(Registry([collector]).scrape(30).samples)
            assert now["cpu_seconds_total"] >= 0.3
            assert now["workers"] == 0


def test_golden_page(busy: tuple[Process, float]) -> None:
    processes = {"one": busy[0], "two": None, "zeo": busy[0]}
    known = inventory(busy[0], **processes)
    found = scrape(known, lambda: known)
    masked = [
        sample if sample.metric.name == "zope_process_up" else sample._replace(value=0)
        for sample in found.samples
        if sample.metric.name.startswith("zope_process")
        and not sample.metric.name.endswith("limit_bytes")  # depends on the host
    ]
    page, _ = encode(masked, "")
    assert page.decode() == (GOLDEN / "process.txt").read_text()


def test_process_never_seen_is_down() -> None:
    known = inventory(one=None)
    found = scrape(known, lambda: known)
    assert found.failures == []
    assert values(found.samples) == {"up": 0}


def test_process_that_came_up_since_the_last_discovery() -> None:
    own = as_known(os.getpid())
    found = scrape(inventory(one=None), lambda: inventory(one=own))
    assert values(found.samples)["up"] == 1


def test_killed_process_is_down() -> None:
    with child(WAIT) as running:
        lines_until_ready(running)
        known = inventory(one=as_known(running.pid))
    found = scrape(known, lambda: known)
    assert found.failures == []
    assert values(found.samples) == {"up": 0}


def test_process_that_dies_between_two_scrapes_is_down() -> None:
    with child(WAIT) as running:
        lines_until_ready(running)
        known = inventory(one=as_known(running.pid))
        registry = Registry([ProcessCollector(lambda: known, lambda: known)])
        assert values(registry.scrape(30).samples)["up"] == 1
    assert values(registry.scrape(30).samples) == {"up": 0}


def test_restarted_process_is_looked_up_anew() -> None:
    with child(WAIT) as before:
        lines_until_ready(before)
        known = inventory(one=as_known(before.pid))
    with child(WAIT) as after:
        lines_until_ready(after)
        restarted = as_known(after.pid)
        found = scrape(known, lambda: inventory(other=None, one=restarted))
    one = values(found.samples)
    assert (one["up"], one["start_time_seconds"]) == (1, restarted.start_time)


def test_process_whose_configuration_went_with_it_is_down() -> None:
    with child(WAIT) as running:
        lines_until_ready(running)
        known = inventory(one=as_known(running.pid))
    assert values(scrape(known, Inventory).samples) == {"up": 0}


def test_zombie_is_down() -> None:
    with child(WAIT) as running:
        lines_until_ready(running)
        known = inventory(one=as_known(running.pid))
        running.kill()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert values(scrape(known, lambda: known).samples) == {"up": 0}


def test_later_process_of_the_same_number_is_another() -> None:
    own = as_known(os.getpid())
    known = inventory(one=Process(own.pid, own.start_time - 100))
    assert values(scrape(known, lambda: known).samples) == {"up": 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has processes of two users")
def test_process_of_another_user_keeps_its_open_files_to_itself() -> None:
    with child(NO_FILES) as running:
        lines_until_ready(running)
        # Where the kernel tells everyone how many there are, none still have to be looked for.
        eventually(lambda: psutil.Process(running.pid).num_fds() == 0)
        with child(STRANGER, str(running.pid)) as stranger:
            (line,) = lines_until_ready(stranger)
    found = json.loads(line)
    assert "zope_process_open_fds" not in found["names"]
    assert {
        "zope_process_up",
        "zope_process_max_fds",
        "zope_process_cpu_seconds_total",
        "zope_process_resident_memory_bytes",
    } <= set(found["names"])
    (failure,) = found["failures"]
    assert failure.startswith("process intranet/one: the open files of one (process")
    assert "CAP_DAC_READ_SEARCH" in failure


@pytest.mark.skipif(not Path("/proc/1/fd").stat().st_size, reason="Linux before 6.2")
def test_number_of_open_files_needs_no_right_where_the_kernel_tells_it() -> None:
    with child(STRANGER, "1") as stranger:
        (line,) = lines_until_ready(stranger)
    found = json.loads(line)
    assert found["failures"] == []
    assert "zope_process_open_fds" in found["names"]


def test_slow_rescan_for_one_does_not_hold_up_another() -> None:
    own = as_known(os.getpid())
    known = inventory(one=Process(own.pid, own.start_time - 100), two=own)
    release = threading.Event()

    def hang() -> Inventory:
        release.wait(60)
        return known

    try:
        found = scrape(known, hang, timeout=1)
    finally:
        release.set()
    assert values(found.samples, "two")["up"] == 1
    assert values(found.samples, "one") == {}


def test_limits_and_files_as_proc_shows_them(tmp_path: Path) -> None:
    own = as_known(os.getpid())
    place = tmp_path / str(own.pid)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        f"30 22 0:26 / {tmp_path}/group rw - cgroup2 cgroup2 rw\n"
    )
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "memory.max").write_text("123456\n")
    place.mkdir()
    (place / "cgroup").write_text("0::/\n")
    (place / "limits").write_text(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            unlimited            unlimited            files     \n"
    )
    known = inventory(one=own)
    collector = ProcessCollector(lambda: known, must_not_rescan, proc=tmp_path)
    found = Registry([collector]).scrape(30)
    assert found.failures == []
    one = values(found.samples)
    assert one["memory_limit_bytes"] == 123456
    assert "max_fds" not in one
    assert "open_fds" not in one  # it ended before they could be counted
