"""Eight hours at work on two sites, as Prometheus scrapes them: nothing in them is a fault.

`shop` has two Zopes behind a proxy and gets three releases, one Zope after the other; `small` has
one Zope, so that each of its restarts is an outage of a minute and a quarter. After each of them
all threads are busy for a while. At noon the exporter is brought up to date; later `shop`
is packed for two hours. On the way to both, packets are lost all the time.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial

STEP, EVALUATION = 30, 15  # seconds, as in prometheus.yml
STEPS = 8 * 3600 // STEP
HOUR, GB = 3600, 1e9
DOWN, WARMING = 75, 150  # seconds of a restart, and until the caches are warm
EXPORTER, EXPORTER_TOOK = 4 * HOUR, 25
PACK, PACK_TOOK = 5 * HOUR, 2 * HOUR
RESTARTS = {
    ("shop", "one"): (HOUR, 5 * HOUR // 3, 7.5 * HOUR),
    ("shop", "two"): (HOUR + 200, 5 * HOUR // 3 + 200, 7.5 * HOUR + 200),
    ("small", "only"): (0.5 * HOUR, 3 * HOUR, 3 * HOUR + 1000, 6 * HOUR),
}
# One in so many is lost; a probe sends many more packets than an answer of the agent.
LOST = {"scrape": 60, "probe": 15, "agent": 30, "zeo": 40}

Known = Callable[[float], float | None]  # by seconds; None while it is not known
Series = Iterator[tuple[str, Known]]


def series() -> dict[str, str]:
    """Every series, a value for each scrape."""
    lost = _losses("scrape", "up")
    scraped = [not lost(i * STEP) and not _exporter_is_down(i * STEP) for i in range(STEPS)]
    told = {"up": " ".join(str(int(up)) for up in scraped)}
    for name, value in _all():
        values = [value(i * STEP) if up else None for i, up in enumerate(scraped)]
        told[name] = " ".join("stale" if each is None else f"{each:.10g}" for each in values)
    return told


def _losses(what: str, whose: str) -> Callable[[float], bool]:
    """Which of the packets of a connection are lost: the same ones in every run."""
    chance = random.Random(f"{what} {whose}")
    lost = [chance.randrange(LOST[what]) == 0 for _ in range(STEPS)]
    return lambda t: lost[int(t // STEP)]


def _mostly(what: str, whose: str) -> Known:
    lost = _losses(what, whose)
    return lambda t: float(not lost(t))


def _exporter_is_down(t: float) -> bool:
    return EXPORTER <= t < EXPORTER + EXPORTER_TOOK


def _since_restart(t: float, site: str, zope: str) -> float:
    """Seconds since it was last stopped."""
    return min((t - each for each in RESTARTS[site, zope] if each <= t), default=9e5)


def _runs(site: str, zope: str, t: float) -> bool:
    return _since_restart(t, site, zope) >= DOWN


def _packing(t: float) -> bool:
    return PACK <= t < PACK + PACK_TOOK


def always(value: float) -> Known:
    return lambda _: value


def _all() -> Series:
    yield "zope_exporter_start_time_seconds", lambda t: EXPORTER if t > EXPORTER else -9e5
    yield "zope_discovery_last_success_timestamp_seconds", lambda t: t - 5
    for collector in ("agent", "logs", "ping", "zeo"):
        yield f'zope_collector_success{{collector="{collector}"}}', _mostly("agent", collector)
    for site, zope in RESTARTS:
        yield from _process(site, zope)
        yield from _agent(site, zope)
        yield from _probe(site, zope, partial(_runs, site, zope))
    yield from _probe("shop", "home", lambda _: True)
    yield from _storage("shop")


def _probe(site: str, target: str, answers: Callable[[float], bool]) -> Series:
    of = f'site="{site}", target="{target}"'
    lost = _losses("probe", of)
    yield f"zope_ping_up{{{of}}}", lambda t: float(answers(t) and not lost(t))
    yield f'zope_ping_failure{{{of}, reason="timeout"}}', lambda t: float(answers(t) and lost(t))
    yield f'zope_ping_failure{{{of}, reason="content"}}', always(0)
    slow = (lambda t: 4.0 if _packing(t) else 0.1) if site == "shop" else always(0.1)
    yield f"zope_ping_duration_seconds{{{of}}}", slow


def _process(site: str, zope: str) -> Series:
    of = f'{{site="{site}", zope="{zope}"}}'

    def since(t: float) -> float:
        return _since_restart(t, site, zope)

    yield f"zope_process_up{of}", lambda t: float(since(t) >= DOWN)
    started = f"zope_process_start_time_seconds{of}"
    yield started, lambda t: None if since(t) < DOWN else max(t - since(t), 0.0)
    # Most of what a Zope will ever use it takes in its first ten minutes.
    memory = f"zope_process_resident_memory_bytes{of}"
    yield memory, lambda t: None if since(t) < DOWN else (0.3 + 0.5 * min(1, since(t) / 600)) * GB
    yield f"zope_process_memory_limit_bytes{of}", lambda t: None if since(t) < DOWN else GB


def _agent(site: str, zope: str) -> Series:
    of = f'site="{site}", zope="{zope}"'
    lost = _losses("agent", of)

    def while_known(value: Callable[[float], float]) -> Known:
        return lambda t: None if _since_restart(t, site, zope) < DOWN or lost(t) else value(t)

    def answered(share: float) -> Known:
        return while_known(lambda t: share * 20 * min(_since_restart(t, site, zope), t))

    def busy(t: float) -> float:
        return 4 if _since_restart(t, site, zope) < DOWN + WARMING else t // STEP % 4

    yield (
        f"zope_agent_up{{{of}}}",
        lambda t: None if _since_restart(t, site, zope) < DOWN else float(not lost(t)),
    )
    yield f'zope_source_watched{{{of}, source="agent"}}', while_known(always_one)
    yield f'zope_wsgi_responses_total{{{of}, code="200"}}', answered(0.999)
    yield f'zope_wsgi_responses_total{{{of}, code="500"}}', answered(0.001)
    for bound, share in (("1", 0.95), ("10", 0.98), ("+Inf", 1.0)):
        yield f'zope_request_duration_seconds_bucket{{{of}, le="{bound}"}}', answered(share)
    yield f"zope_worker_threads{{{of}}}", while_known(lambda _: 4)
    yield f"zope_worker_threads_busy{{{of}}}", while_known(busy)
    yield f"zope_request_queue_length{{{of}}}", while_known(lambda t: 9 if busy(t) == 4 else 0)
    yield (
        f'zope_pack_running{{{of}, database="main"}}',
        while_known(lambda t: float(site == "shop" and zope == "one" and _packing(t))),
    )
    yield f'zope_zeo_client_connected{{{of}, database="main"}}', while_known(always_one)


def always_one(_: float) -> float:
    return 1.0


def _storage(site: str) -> Series:
    """A disk of which a third is free until a pack writes the Data.fs anew."""
    of = f'site="{site}", database="main"'

    def taken(t: float) -> float:
        return 40 * GB * (t - PACK) / PACK_TOOK if _packing(t) else 0.0

    yield f"zope_filestorage_size_bytes{{{of}}}", always(60 * GB)
    yield f"zope_backup_elsewhere{{{of}}}", always(1)
    packed = f"zope_filestorage_last_pack_timestamp_seconds{{{of}}}"
    yield packed, lambda t: PACK + PACK_TOOK if t >= PACK + PACK_TOOK else -7 * 24 * HOUR
    yield f"zope_filestorage_old_size_bytes{{{of}}}", lambda t: 0 if _packing(t) else 60 * GB
    yield 'zope_disk_avail_bytes{mountpoint="/srv"}', lambda t: 70 * GB - taken(t)
    yield 'zope_disk_size_bytes{mountpoint="/srv"}', always(200 * GB)
    yield f'zope_disk_holds_info{{mountpoint="/srv", site="{site}", holds="database"}}', always(1)
    yield f"zope_filesystem_avail_bytes{{{of}}}", lambda t: 70 * GB - taken(t)
    yield f"zope_filesystem_size_bytes{{{of}}}", always(200 * GB)
    zeo = f'site="{site}", server="127.0.0.1:8100", storage="1"'
    lost = _losses("zeo", zeo)
    yield f"zope_zeo_up{{{zeo}}}", lambda t: float(not lost(t))
    clients = f"zope_zeo_clients{{{zeo}}}"
    yield (
        clients,
        lambda t: (
            None
            if lost(t)
            else sum(_since_restart(t, site, each) >= DOWN for each in ("one", "two"))
        ),
    )
    yield f"zope_zeo_waiting_commits{{{zeo}}}", lambda t: float(_packing(t) and t // STEP % 5 == 0)
    held = f"zope_zeo_lock_acquired_timestamp_seconds{{{zeo}}}"
    yield held, lambda t: t - 1 if _packing(t) and t // STEP % 5 == 0 else None
