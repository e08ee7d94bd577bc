"""A day of two healthy sites, minute by minute, as their exporter tells it.

`busy` has visitors by day; `quiet` has one every few minutes, and once an hour one of them meets
an error. In the night both are backed up, packed, verified, rotated and restarted; at noon the
exporter is brought up to date, and in the afternoon `busy` gets a new release.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from operator import mul

MINUTES = 24 * 60
BACKUP, PACK, RESTART, VERIFY, ROTATION = 60, 120, 180, 240, 380
EXPORTER, RELEASE = 12 * 60, 15 * 60
BACKUP_TOOK, PACK_TOOK, VERIFY_TOOK = 10, 25, 20
GB = 1e9

Value = Callable[[int], float]
Known = Callable[[int], float | None]  # None while it is not known
Series = Iterator[tuple[str, Known]]


class Day:
    """What one site's day looks like; `visits` is the requests a minute at a minute of the day."""

    def __init__(self, site: str, size: float, visits: Value, errors: Value) -> None:
        self.site, self.size = site, size
        self.visits, self.errors = visits, errors
        self.restarts = (RESTART, RELEASE) if site == "busy" else (RESTART,)

    def down(self, minute: int) -> bool:
        """Whether it restarts, which takes a minute."""
        return minute in self.restarts

    def since(self, minute: int) -> int:
        """The minute it last came up, before the day if not in it."""
        return max((restart + 1 for restart in self.restarts if restart < minute), default=-5000)

    def counted(self, per_minute: Value) -> Value:
        """A counter that begins anew at each restart."""
        sums: dict[int, float] = {}
        total = 0.0
        for minute in range(MINUTES + 1):
            total = 0.0 if self.down(minute) else total + per_minute(minute)
            sums[minute] = total
        return lambda minute: sums[minute]

    def while_up(self, value: Value) -> Known:
        return lambda minute: None if self.down(minute) else value(minute)

    def packing(self, minute: int) -> bool:
        return PACK <= minute < PACK + PACK_TOOK

    def data_fs(self, minute: int) -> float:
        grown = self.size * (1 + 0.02 * minute / MINUTES)
        return grown if minute < PACK + PACK_TOOK else grown - 0.1 * self.size

    def old(self, minute: int) -> float:
        """Data.fs.old: deleted as a pack begins, there again when it ends."""
        return 0 if self.packing(minute) else self.size

    def avail(self, minute: int) -> float:
        part = (minute - PACK) / PACK_TOOK if self.packing(minute) else 0
        return 5 * self.size - self.data_fs(minute) - self.old(minute) - part * self.size


def always(value: float) -> Value:
    return lambda _: value


def visits_by_day(minute: int) -> float:
    return 300 + 900 * max(0.0, math.sin(math.pi * (minute - 420) / 780))


def series() -> dict[str, str]:
    """Every series of the day, a value a minute."""
    days = [
        Day("busy", 40 * GB, visits_by_day, lambda m: 1.0 if m % 4 == 0 else 0.0),
        Day("quiet", 0.3 * GB, lambda m: float(m % 5 == 0), lambda m: float(m % 60 == 30)),
    ]
    told = dict(_of_exporter())
    for day in days:
        told |= dict(_of_site(day))
    return {name: _values(value) for name, value in told.items()}


def _values(value: Known) -> str:
    """Nothing is known while the exporter restarts."""
    said = (None if m in (EXPORTER, EXPORTER + 1) else value(m) for m in range(MINUTES + 1))
    return " ".join("_" if each is None else f"{each:.10g}" for each in said)


def _of_exporter() -> Series:
    yield "up", always(1)
    yield "zope_exporter_start_time_seconds", lambda m: 60 * EXPORTER if m > EXPORTER else -9e5
    for collector in ("filestorage", "logs", "ping", "process"):
        yield f'zope_collector_success{{collector="{collector}"}}', lambda m: float(m % 97 != 50)
    yield "zope_watchdog_silent", always(0)
    yield 'zope_webhook_notifications_total{outcome="unavailable"}', always(1)
    yield "zope_discovery_last_success_timestamp_seconds", lambda m: 60 * m + 2
    yield 'zope_site_shared_info{site="busy", by="declared"}', always(1)


def _of_site(day: Day) -> Series:
    yield from _pings(day)
    yield from _storage(day)
    yield from _actions(day)
    yield from _logs(day)
    yield from _zeo(day)
    for zope in ("one", "two"):
        yield from _process(day, zope)
        yield from _agent(day, zope)


def _pings(day: Day) -> Series:
    for target in ("home", "login"):
        of = f'site="{day.site}", target="{target}"'
        yield f"zope_ping_up{{{of}}}", lambda m: float(not day.down(m))
        yield (
            f"zope_ping_duration_seconds{{{of}}}",
            lambda m: 3.0 if day.packing(m) and m % 3 else 0.1,
        )
        yield f'zope_ping_failure{{{of}, reason="content"}}', always(0)
        yield f"zope_ping_certificate_expiry_timestamp_seconds{{{of}}}", always(30 * 86400)


def _process(day: Day, zope: str) -> Series:
    of = f'{{site="{day.site}", zope="{zope}"}}'

    yield f"zope_process_up{of}", lambda m: float(not day.down(m))
    for source in ("process", "event_log", "agent"):
        seen = f'zope_source_watched{{site="{day.site}", zope="{zope}", source="{source}"}}'
        yield seen, day.while_up(always(1)) if source == "agent" else always(1)
    yield f"zope_process_start_time_seconds{of}", day.while_up(lambda m: 60 * day.since(m))
    grown = day.while_up(lambda m: 0.5 * GB + 0.3 * GB * min(1.0, (m - day.since(m)) / 600))
    yield f"zope_process_resident_memory_bytes{of}", grown
    yield f"zope_process_memory_limit_bytes{of}", day.while_up(always(1 * GB))
    yield f"zope_process_open_fds{of}", day.while_up(lambda m: 60 + m % 30)
    yield f"zope_process_max_fds{of}", day.while_up(always(1024))


def _agent(day: Day, zope: str) -> Series:
    of = f'site="{day.site}", zope="{zope}"'
    database = f'{of}, database="main"'

    def counter(per_minute: Value) -> Known:
        return day.while_up(day.counted(per_minute))

    versions = 'zope_version="5.14", plone_version="6.2", zodb_version="6.4", python_version="3.11"'
    yield f"zope_agent_up{{{of}}}", day.while_up(always(1))
    yield f"zope_instance_info{{{of}, {versions}}}", day.while_up(always(1))
    yield f"zope_instance_debug_mode{{{of}}}", day.while_up(always(0))
    yield f"zope_broken_classes{{{of}}}", day.while_up(always(0))
    yield f"zope_broken_products{{{of}}}", day.while_up(always(0))
    yield f'zope_wsgi_responses_total{{{of}, code="200"}}', counter(day.visits)
    yield f'zope_wsgi_responses_total{{{of}, code="404"}}', counter(lambda m: 0.3 * day.visits(m))
    yield f'zope_wsgi_responses_total{{{of}, code="500"}}', counter(day.errors)
    quick = counter(lambda m: 0.97 * day.visits(m))
    for bound, answered in (("1", quick), ("10", quick), ("+Inf", counter(day.visits))):
        yield f'zope_request_duration_seconds_bucket{{{of}, le="{bound}"}}', answered
    yield f"zope_worker_threads{{{of}}}", day.while_up(always(4))
    busy = day.while_up(lambda m: 4 if day.visits(m) > 900 and m % 6 == 0 else m % 3)
    yield f"zope_worker_threads_busy{{{of}}}", busy
    yield f"zope_request_queue_length{{{of}}}", day.while_up(lambda m: float(m % 6 == 0))
    yield (
        f"zope_request_oldest_start_timestamp_seconds{{{of}}}",
        day.while_up(lambda m: 60 * m - 40),
    )
    yield f"zope_http_connections{{{of}}}", day.while_up(lambda m: 10 + m % 20)
    yield f"zope_http_connection_limit{{{of}}}", day.while_up(always(100))
    yield f'zope_connections{{{database}, state="in_use"}}', day.while_up(lambda m: m % 5)
    yield f'zope_connections{{{database}, state="idle"}}', day.while_up(lambda m: 4 - m % 5)
    yield f"zope_connection_pool_size{{{database}}}", day.while_up(always(7))
    yield f"zope_connections_leaked{{{database}}}", day.while_up(lambda m: float(m % 30 < 5))
    oldest = f"zope_connection_oldest_open_timestamp_seconds{{{database}}}"
    yield oldest, day.while_up(lambda m: 60 * m - 40)
    yield f"zope_object_loads_total{{{database}}}", counter(lambda m: 30 * day.visits(m))
    yield f"zope_connection_closes_total{{{database}}}", counter(day.visits)
    loaded = day.while_up(lambda m: min(20000, 100 * (m - day.since(m))))
    yield f'zope_cache_objects{{{database}, state="active"}}', loaded
    yield f"zope_cache_target_objects{{{database}}}", day.while_up(always(5000))
    conflicts = f'{of}, database="", kind="write"'
    retried = counter(lambda m: float(m % 20 == 0))
    yield f'zope_conflicts_total{{{conflicts}, outcome="retried"}}', retried
    yield f'zope_conflicts_total{{{conflicts}, outcome="failed"}}', counter(always(0))
    yield f"zope_write_transactions_total{{{database}}}", counter(lambda m: 0.1 * day.visits(m))
    yield f"zope_pack_running{{{database}}}", day.while_up(lambda m: float(day.packing(m)))
    yield f"zope_zeo_client_connected{{{database}}}", day.while_up(always(1))


def _storage(day: Day) -> Series:
    of = f'site="{day.site}", database="main"'
    packed = PACK + PACK_TOOK
    yield f"zope_filestorage_size_bytes{{{of}}}", day.data_fs
    yield f"zope_filestorage_old_size_bytes{{{of}}}", day.old
    yield f"zope_filesystem_avail_bytes{{{of}}}", day.avail
    yield f"zope_filesystem_size_bytes{{{of}}}", always(5 * day.size)
    yield f"zope_filestorage_leftover_bytes{{{of}}}", always(0)
    yield f"zope_filestorage_replaced{{{of}}}", always(0)
    pack = f"zope_filestorage_last_pack_timestamp_seconds{{{of}}}"
    yield pack, lambda m: 60 * packed if m >= packed else -7 * 86400
    garbage = f'zope_filestorage_garbage_bytes{{{of}, kind="superseded"}}'
    yield garbage, lambda m: 0.12 * day.size if m < packed else 0.02 * day.size
    yield f"zope_blob_directory_present{{{of}}}", always(1)
    yield f"zope_blob_files{{{of}}}", lambda m: 5000 + m // 30 if day.site == "busy" else 0
    yield from _disks(day)
    # `quiet` is written to once an hour only.
    step = 1 if day.site == "busy" else 60
    last = f"zope_filestorage_last_transaction_timestamp_seconds{{{of}}}"
    yield last, lambda m: 60 * (m - m % step)


def _disks(day: Day) -> Series:
    """One for the database, one for the logs, which are compressed as they are rotated."""
    disk = f'mountpoint="/srv/{day.site}"'
    yield f"zope_disk_avail_bytes{{{disk}}}", day.avail
    yield f"zope_disk_size_bytes{{{disk}}}", always(5 * day.size)
    yield f'zope_disk_holds_info{{{disk}, site="{day.site}", holds="database"}}', always(1)
    logs = f'mountpoint="/var/log/{day.site}"'
    grown: Value = lambda m: 1e6 * (m - ROTATION if m >= ROTATION else m + 1000)  # noqa: E731
    yield f"zope_disk_avail_bytes{{{logs}}}", lambda m: 4e9 - grown(m)
    yield f"zope_disk_size_bytes{{{logs}}}", always(10e9)
    yield f'zope_disk_holds_info{{{logs}, site="{day.site}", holds="logs"}}', always(1)
    for of in (disk, logs):
        yield f"zope_disk_inodes_free{{{of}}}", lambda m: 9e5 - m
        yield f"zope_disk_inodes{{{of}}}", always(1e6)


def _actions(day: Day) -> Series:
    of = f'site="{day.site}", database="main"'
    saved, proven = BACKUP + BACKUP_TOOK, VERIFY + VERIFY_TOOK
    success = f"zope_backup_last_success_timestamp_seconds{{{of}}}"
    yield success, lambda m: 60 * saved if m >= saved else 60 * saved - 86400
    yield f"zope_backup_max_age_seconds{{{of}}}", always(26 * 3600)
    yield f"zope_backup_database_faults{{{of}}}", always(0)
    yield f'zope_backup_elsewhere{{site="{day.site}", database="elsewhere"}}', always(1)
    yield f'zope_backup_external{{site="{day.site}", database="elsewhere"}}', always(1)
    covered = f"zope_backup_covered_transaction_timestamp_seconds{{{of}}}"
    yield covered, lambda m: 60 * BACKUP if m >= saved else 60 * BACKUP - 86400
    verified = f"zope_backup_last_verified_timestamp_seconds{{{of}}}"
    yield verified, lambda m: 60 * proven if m >= proven else 60 * proven - 86400
    room = f"zope_backup_repository_avail_bytes{{{of}}}"
    yield room, lambda m: (3 if BACKUP <= m < saved + 5 else 3.5) * day.size
    begins = {
        "backup": (BACKUP, saved),
        "pack": (PACK, PACK + PACK_TOOK),
        "verify": (VERIFY, proven),
    }
    for action, (begun, ended) in begins.items():
        task = f'{of}, action="{action}"'
        yield f"zope_action_running{{{task}}}", _within(begun, ended)
        succeeded = f"zope_action_last_success_timestamp_seconds{{{task}}}"
        yield succeeded, _jump(ended, 60 * ended - 86400, 60 * ended)
        yield f"zope_action_last_failure_timestamp_seconds{{{task}}}", always(-3 * 86400)


def _within(begun: int, ended: int) -> Value:
    return lambda minute: float(begun <= minute < ended)


def _jump(at: int, before: float, after: float) -> Value:
    return lambda minute: after if minute >= at else before


def _logs(day: Day) -> Series:
    for kind in ("access", "event"):
        of = f'site="{day.site}", log="one-{kind}"'
        size = f"zope_log_size_bytes{{{of}}}"
        yield size, lambda m: 1e5 * (m - ROTATION if m >= ROTATION else m + 1000)
        oldest = f"zope_log_oldest_line_timestamp_seconds{{{of}}}"
        yield oldest, lambda m: 60 * ROTATION if m >= ROTATION else 60 * ROTATION - 7 * 86400
        yield f"zope_log_reopen_needed{{{of}}}", always(0)
        yield f"zope_log_unparsed_lines_total{{{of}}}", lambda m: m // 3
        yield f'zope_log_resets_total{{{of}, reason="copytruncate"}}', lambda m: 3 + (m >= ROTATION)
        yield f'zope_log_resets_total{{{of}, reason="truncated"}}', always(0)
    of = f'site="{day.site}", log="one-event"'
    yield f'zope_event_log_records_total{{{of}, severity="CRITICAL"}}', always(2)
    yield f'zope_event_log_records_total{{{of}, severity="ERROR"}}', lambda m: m // 4
    yield f'zope_event_log_matches_total{{{of}, pattern="POSKeyError"}}', always(1)
    yield f'zope_event_log_matches_total{{{of}, pattern="client_gone"}}', lambda m: 3 * m
    yield f'zope_syslog_dropped_messages_total{{site="{day.site}", reason="flood"}}', always(0)
    access = f'site="{day.site}", log="one-access", method="GET"'
    yield f'zope_http_requests_total{{{access}, code="200"}}', lambda m: 2 * m
    yield f'zope_access_log_complete{{site="{day.site}", zope="one"}}', always(1)
    took = f'site="{day.site}", log="one-access"'
    for bound, share in (("1", 1.9), ("10", 1.9), ("+Inf", 2.0)):
        bucket = f'zope_http_request_duration_seconds_bucket{{{took}, le="{bound}"}}'
        yield bucket, partial(mul, share)


def _zeo(day: Day) -> Series:
    of = f'{{site="{day.site}", server="127.0.0.1:8100", storage="1"}}'
    yield f"zope_zeo_up{of}", always(1)
    nightly = _within(VERIFY, VERIFY + 180)
    yield f"zope_zeo_clients{of}", lambda m: 0 if day.down(m) else 2 + nightly(m)
    yield f"zope_zeo_waiting_commits{of}", lambda m: float(m % 4 == 0)
    yield (
        f"zope_zeo_lock_acquired_timestamp_seconds{of}",
        lambda m: 60 * m - 1 if m % 7 == 0 else None,
    )
